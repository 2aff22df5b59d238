"""The command ``hedgerow``. JSON on stdout with ``--json``, messages on stderr, exit code 0 only on success."""

import argparse
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent import __version__
from agent.clock import SystemClock
from agent.errors import HedgerowError
from cloud_sync.errors import SyncFatalError

if TYPE_CHECKING:
    from cloud_sync.mqtt import BrokerSettings

BACKENDS = ("auto", "openvino", "onnxruntime")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. An error that was expected is one line, without a traceback."""
    options = _parser().parse_args(arguments)
    from agent.journal import configure_logging

    configure_logging(verbose=options.verbose, as_json=options.log_json)
    try:
        code: int = options.command(options)
    except (HedgerowError, SyncFatalError) as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"hedgerow: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        _forget_output()
        return 0
    except KeyboardInterrupt:
        return 130
    return code


def _forget_output() -> None:
    """Whoever read our output has gone: `hedgerow tap | head` ends quietly, even when Python flushes at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hedgerow",
        description="Camera analytics for edge boxes with a poor link.",
        epilog="Start with `hedgerow demo`: it needs no camera, no cloud and no configuration.",
    )
    parser.add_argument("--version", action="version", version=f"hedgerow {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-v", "--verbose", action="store_true", help="show debug lines and tracebacks")
    common.add_argument("--log-json", action="store_true", help="log one JSON object a line")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, work: Any, text: str, **more: Any) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", parents=[common], **more
        )
        added.set_defaults(command=work)
        return added

    _box_commands(command)
    _file_commands(command)
    _cloud_commands(command)
    return parser


def _box_commands(command: Any) -> None:
    run = command("run", _run, "run the agent of a box, until SIGTERM or Ctrl-C")
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (see `hedgerow check`)")

    demo = command("demo", _demo, "run everything on this machine: broker, agent, cloud ingest and status page")
    demo.add_argument(
        "--source",
        default="sim:orchard",
        metavar="S",
        help="rtsp://..., http://..., a video, a folder of images, /dev/videoN or sim:orchard (default)",
    )
    demo.add_argument("--port", type=_port, default=8642, metavar="P", help="of the status page (default 8642; 0: any)")
    demo.add_argument(
        "--data",
        type=Path,
        default=Path("hedgerow-data"),
        metavar="DIR",
        help="kept and continued (default ./hedgerow-data)",
    )
    demo.add_argument("--seconds", type=_positive, metavar="N", help="stop by itself after N seconds")

    check = command("check", _check, "check a configuration file, and name everything that is wrong with it")
    check.add_argument("file", type=Path, metavar="FILE", help="docs/hedgerow.example.toml shows every key")
    check.add_argument("--json", action="store_true", help="print the configuration as the agent understands it")

    status = command("status", _status, "tell what a box has stored: counts of the last hour, cameras, outbox")
    status.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory of the agent")
    status.add_argument("--json", action="store_true", help="print JSON")


def _file_commands(command: Any) -> None:
    detect = command("detect", _detect, "detect objects in a folder of images, and write COCO results")
    detect.add_argument("folder", type=Path, metavar="DIR")
    detect.add_argument("--out", type=Path, required=True, metavar="FILE", help="results, e.g. results.json")
    detect.add_argument(
        "--min-score", type=_share, default=0.001, metavar="X", help="keep detections from here (0.001)"
    )
    _model_options(detect)

    replay = command("replay", _replay, "run the full pipeline over a video file, as fast as it goes")
    replay.add_argument("video", type=Path, metavar="VIDEO")
    replay.add_argument("--json", action="store_true", help="print JSON")
    replay.add_argument("--confidence", type=_share, default=0.25, metavar="X", help="a track starts from here (0.25)")
    _model_options(replay)


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, metavar="M", help="a YOLO ONNX file (default: the bundled orchard model)")
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="inference runtime")


def _cloud_commands(command: Any) -> None:
    ingest = command("ingest", _ingest, "store what boxes send, and acknowledge it; run as many as you like")
    ingest.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    ingest.add_argument("--database", required=True, metavar="URL", help="sqlite:///PATH")
    ingest.add_argument("--client-id", metavar="ID", help="the broker's name for this worker (default: a new one)")
    _broker_options(ingest)

    tap = command("tap", _tap, "print the decoded messages of a site, as they come")
    tap.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    tap.add_argument("--site", metavar="SITE", help="only this site (default: all)")
    tap.add_argument("--json", action="store_true", help="print one JSON object a message")
    tap.add_argument("--count", type=_count, metavar="N", help="end after N messages")
    _broker_options(tap)


def _broker_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--username", metavar="NAME", help="at the broker; its password is in --password-file")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="first line is the password")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificate authority of the broker")
    parser.add_argument("--cert-file", type=Path, metavar="FILE", help="client certificate")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="key of the client certificate")


def _port(text: str) -> int:
    return int(_number(text, int, 0, 65535))


def _count(text: str) -> int:
    return int(_number(text, int, 1, 10**9))


def _positive(text: str) -> float:
    return _number(text, float, 0.001, 1e9)


def _share(text: str) -> float:
    return _number(text, float, 0.0001, 0.9999)


def _number(text: str, kind: type[int] | type[float], least: float, most: float) -> float:
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed: a number from {least:g} to {most:g}") from None
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"found {text}; allowed: {least:g} to {most:g}")
    return value


def _run(options: argparse.Namespace) -> int:
    from agent.app import Agent
    from agent.config import load_config

    with Agent(load_config(options.config)) as agent:
        agent.run(_stop_on_signals())
    return 0


def _demo(options: argparse.Namespace) -> int:
    from agent.demo import run_demo

    stop = _stop_on_signals()
    if options.seconds is not None:
        timer = threading.Timer(options.seconds, stop.set)
        timer.daemon = True
        timer.start()
    run_demo(options.source, port=options.port, data_dir=options.data, stop=stop, say=_say)
    return 0


def _stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set; a second one ends the program at once."""
    stop = threading.Event()

    def handle(number: int, _frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        signal.signal(number, signal.default_int_handler)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


def _check(options: argparse.Namespace) -> int:
    from agent.check import find_problems
    from agent.config import load_config, public_address
    from agent.errors import ConfigError

    config = load_config(options.file)
    if problems := find_problems(config):
        raise ConfigError(f"configuration {options.file}: " + "\n".join(problems))
    if options.json:
        shown = config.model_dump(mode="json")
        for camera in shown["cameras"]:
            camera["source"] = public_address(camera["source"])  # what is printed here ends up in logs and tickets
        _print_json(shown)
    else:
        names = ", ".join(camera.name for camera in config.cameras)
        print(f"{options.file}: good. Box {config.box.site}/{config.box.device}, cameras: {names}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from agent.store import stored_status, summary_lines

    status = stored_status(options.data)
    if options.json:
        _print_json(status)
    else:
        print("\n".join(summary_lines(status)))
    return 0


def _detect(options: argparse.Namespace) -> int:
    from agent.detection import detect_folder, open_detector

    detector = open_detector(options.model, backend=options.backend, min_score=options.min_score)
    with _Progress("images") as progress:
        result = detect_folder(detector, options.folder, options.out, on_progress=progress)
    detector.close()
    _say(f"{result.detections} detections in {result.images} images: {options.out}")
    if result.unreadable:
        _say(f"{len(result.unreadable)} images could not be read: {', '.join(result.unreadable[:5])}")
    return 1 if result.unreadable else 0


def _replay(options: argparse.Namespace) -> int:
    from agent.detection import open_detector
    from agent.replay import replay

    detector = open_detector(options.model, backend=options.backend, min_score=min(0.1, options.confidence))
    with _Progress("frames") as progress:
        result = replay(options.video, detector, confidence=options.confidence, on_progress=progress)
    detector.close()
    if options.json:
        _print_json(result.as_dict())
    else:
        print(result.summary())
    return 0


def _ingest(options: argparse.Namespace) -> int:
    from cloud_sync.ingest import IngestSettings, run_ingest

    # Two workers of one name would throw each other out for ever.
    client_id = options.client_id or f"hedgerow-ingest-{secrets.token_hex(4)}"
    settings = IngestSettings(_broker(options), options.database, client_id=client_id)
    run_ingest(settings, _stop_on_signals(), utc_ms=SystemClock().utc_ms)
    return 0


def _tap(options: argparse.Namespace) -> int:
    from cloud_sync.tap import TapSettings, run_tap

    settings = TapSettings(_broker(options), site=options.site, as_json=options.json, count=options.count)
    run_tap(settings, _stop_on_signals(), write=lambda line: print(line, flush=True), utc_ms=SystemClock().utc_ms)
    return 0


def _broker(options: argparse.Namespace) -> "BrokerSettings":
    from cloud_sync.mqtt import BrokerSettings

    return BrokerSettings(
        options.broker,
        username=options.username,
        password_file=options.password_file,
        ca_file=options.ca_file,
        cert_file=options.cert_file,
        key_file=options.key_file,
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


class _Progress:
    """A bar on standard error while it is a terminal; silent otherwise."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._shown = sys.stderr.isatty()
        self._started = time.monotonic()
        self._next_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        passed_s = time.monotonic() - self._started
        if not self._shown or (passed_s < self._next_s and done != total):
            return
        self._next_s = passed_s + 0.1
        rate = done / passed_s if passed_s else 0.0
        if total:
            filled = 30 * done // total
            left_s = (total - done) / rate if rate else 0.0
            bar = (
                f"[{'#' * filled}{'.' * (30 - filled)}] {done}/{total} {self._unit}, {rate:.0f}/s, {left_s:.0f} s left"
            )
        else:
            bar = f"{done} {self._unit}, {rate:.0f}/s"
        print(f"\r{bar}\033[K", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_exc: object) -> None:
        if self._shown:
            print(file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
