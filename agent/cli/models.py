"""Commands of installed models: models add, list, remove."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.arguments import share
from agent.cli.output import Progress, print_json, say

if TYPE_CHECKING:
    from agent.config import Config
    from agent.types import Image

_DEFAULT_DATA = Path("/var/lib/hedgerow")

_SHOWN = 8  # classes

_ADD = """\
Add a model to a box: weights (.pt, exported at 640x640 and 384x640 through ultralytics, which must be installed), an
ONNX file, a folder with an OpenVINO model, or `orchard-yolo26n`, the one that ships. It is run on probe pictures
before it is installed, and it appears whole or not at all. Then the configuration names it:

    [model]
    name = "NAME"

Weights are pickles: loading them runs what their maker put in. Take them from people you trust.

With --int8 it is quantised to eight bits (NNCF, the extra hedgerow[calibration]) on frames from a folder or, as
`--int8 cameras`, from the cameras of --config, and compared box by box with the float model on frames that did not
calibrate it; the INT8 model is kept only if enough boxes agree."""


def add_commands(command: Any) -> None:
    """Add them to the parser."""
    models = command("models", _no_action, "add, list and remove the models of a box")
    actions = models.add_subparsers(title="actions", required=True, metavar="ACTION")

    add = actions.add_parser(
        "add", help="add a model", description=_ADD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add.add_argument("model", metavar="FILE_OR_NAME")
    add.add_argument("--name", metavar="NAME", help="what the configuration will call it (default: that of the file)")
    add.add_argument("--origin", metavar="TEXT", help="where it comes from, for whoever asks later (default: the path)")
    add.add_argument("--licence", metavar="TEXT", help="default: what the file says of itself")
    add.add_argument("--int8", metavar="DIR|cameras", help="calibrate on a folder of images, or on the box's cameras")
    add.add_argument("--agree", type=share, default=0.9, metavar="X", help="least share of boxes that agree (0.9)")
    add.set_defaults(command=_add)

    list_ = actions.add_parser("list", help="list installed models", description="List installed models.")
    list_.add_argument("--json", action="store_true", help="print JSON")
    list_.set_defaults(command=_list)

    remove = actions.add_parser("remove", help="remove a model", description="Remove an installed model.")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(command=_remove)
    for action in (add, list_, remove):
        action.add_argument("--config", type=Path, metavar="FILE", help="the box's: its data directory and cameras")
        action.add_argument("--data", type=Path, metavar="DIR", help=f"data directory (default {_DEFAULT_DATA})")
        action.add_argument("-v", "--verbose", action="store_true", help="show debug lines and tracebacks")
        action.add_argument("--log-json", action="store_true", help="log one JSON object a line")


def _no_action(_options: argparse.Namespace) -> int:
    raise AssertionError("argparse asks for an action")


def _config(options: argparse.Namespace) -> "Config | None":
    from agent.config import load_config

    return None if options.config is None else load_config(options.config)


def _data_dir(options: argparse.Namespace, config: "Config | None") -> Path:
    if options.data is not None:
        return Path(options.data)
    return _DEFAULT_DATA if config is None else config.storage.data_dir


def _add(options: argparse.Namespace) -> int:
    from agent.clock import SystemClock
    from agent.modelstore import Intake, ModelStore, add_model
    from agent.modelstore.intake import find_model

    config = _config(options)
    find_model(options.model)  # before a minute is spent on frames
    intake = Intake(
        options.model,
        name=options.name,
        origin=options.origin,
        licence=options.licence,
        calibration=() if options.int8 is None else _frames(options.int8, config),
        least_agreement=options.agree,
    )
    store = ModelStore(_data_dir(options, config))
    manifest = add_model(store, intake, utc_ms=SystemClock().utc_ms(), say=say)
    say(f'installed in {store.folder / manifest.name}; use it with [model] name = "{manifest.name}"')
    return 0


def _frames(source: str, config: "Config | None") -> "tuple[Image, ...]":
    from agent.clock import SystemClock
    from agent.errors import FatalError
    from agent.modelstore.frames import frames_of_cameras, frames_of_folder

    if source != "cameras":
        return tuple(frames_of_folder(Path(source)))
    if config is None:
        raise FatalError("--int8 cameras needs --config, which names them")
    with Progress("frames") as progress:
        return tuple(frames_of_cameras(config.cameras, SystemClock(), on_progress=progress))


def _list(options: argparse.Namespace) -> int:
    from agent.errors import FatalError
    from agent.modelstore import ModelStore

    store = ModelStore(_data_dir(options, _config(options)))
    code, shown = 0, []
    for name in store.names():
        try:
            shown.append(store.verify(name))
        except FatalError as error:
            say(str(error))
            code = 1
    if options.json:
        print_json([asdict(manifest) for manifest in shown])
        return code
    for manifest in shown:
        variants = ", ".join(f"{each.height}x{each.width} {each.precision}" for each in manifest.variants)
        classes = ", ".join(manifest.classes[:_SHOWN]) + (", ..." if len(manifest.classes) > _SHOWN else "")
        print(f"{manifest.name}: {variants}; {classes}; {manifest.licence or 'licence unknown'}")
        print(f"    from {manifest.origin}, sha256 {manifest.sha256}")
    if not shown and not code:
        say(f"no models in {store.folder}; without [model] name or path the bundled one runs")
    return code


def _remove(options: argparse.Namespace) -> int:
    from agent.errors import FatalError
    from agent.modelstore import ModelStore

    config = _config(options)
    if config is not None and config.model.name == options.name:
        raise FatalError(f"{options.config} uses model {options.name!r}: the agent could not start without it")
    ModelStore(_data_dir(options, config)).remove(options.name)
    say(f"removed {options.name}")
    return 0
