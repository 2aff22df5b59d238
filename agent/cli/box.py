"""Commands of a box: run, demo, check, status."""

import argparse
import threading
from pathlib import Path
from typing import Any

from agent.cli.arguments import port, positive
from agent.cli.output import print_json, say
from agent.cli.signals import stop_on_signals


def add_commands(command: Any) -> None:
    """Add them to the parser."""
    run = command("run", _run, "run the agent of a box, until SIGTERM or Ctrl-C")
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration (see `hedgerow check`)")

    demo = command("demo", _demo, "run everything on this machine: broker, agent, cloud ingest and status page")
    demo.add_argument(
        "--source",
        default="sim:orchard",
        metavar="S",
        help="rtsp://..., http://..., a video, a folder of images, /dev/videoN or sim:orchard (default)",
    )
    demo.add_argument("--port", type=port, default=8642, metavar="P", help="of the status page (default 8642; 0: any)")
    demo.add_argument(
        "--data",
        type=Path,
        default=Path("hedgerow-data"),
        metavar="DIR",
        help="kept and continued (default ./hedgerow-data)",
    )
    demo.add_argument("--seconds", type=positive, metavar="N", help="stop by itself after N seconds")

    check = command("check", _check, "check a configuration file, and name everything that is wrong with it")
    check.add_argument("file", type=Path, metavar="FILE", help="docs/hedgerow.example.toml shows every key")
    check.add_argument("--json", action="store_true", help="print the configuration as the agent understands it")

    status = command("status", _status, "tell what a box has stored: counts of the last hour, cameras, outbox")
    status.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory of the agent")
    status.add_argument("--json", action="store_true", help="print JSON")


def _run(options: argparse.Namespace) -> int:
    from agent.app import Agent
    from agent.config import load_config

    with Agent(load_config(options.config)) as agent:
        agent.run(stop_on_signals())
    return 0


def _demo(options: argparse.Namespace) -> int:
    from agent.demo import run_demo

    stop = stop_on_signals()
    if options.seconds is not None:
        timer = threading.Timer(options.seconds, stop.set)
        timer.daemon = True
        timer.start()
    run_demo(options.source, port=options.port, data_dir=options.data, stop=stop, say=say)
    return 0


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
            for key in ("source", "substream"):  # what is printed here ends up in logs and tickets
                camera[key] = camera[key] and public_address(camera[key])
        print_json(shown)
    else:
        names = ", ".join(camera.name for camera in config.cameras)
        print(f"{options.file}: good. Box {config.box.site}/{config.box.device}, cameras: {names}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from agent.store import stored_status, summary_lines

    status = stored_status(options.data)
    if options.json:
        print_json(status)
    else:
        print("\n".join(summary_lines(status)))
    return 0
