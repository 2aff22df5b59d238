"""Commands of a box: run, demo, check, status, discover."""

import argparse
import threading
from pathlib import Path
from typing import Any

from agent.cli.arguments import port, positive
from agent.cli.output import Progress, print_json, say
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

    check = command(
        "check",
        _check,
        "check a configuration file, and name everything that is wrong with it",
        epilog="Files and certificates are read, and the classes of zones, lines and measures compared with those that "
        "the model names; no camera or connection is opened, and no model runs. Weights (.pt) are not read: `hedgerow "
        "models add` exports them to a model that is.",
    )
    check.add_argument("file", type=Path, metavar="FILE", help="docs/hedgerow.example.toml shows every key")
    check.add_argument("--json", action="store_true", help="print the configuration as the agent understands it")

    status = command("status", _status, "tell what a box has stored: counts of the last hour, cameras, outbox")
    status.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory of the agent")
    status.add_argument("--json", action="store_true", help="print JSON")

    discover = command(
        "discover",
        _discover,
        "list the cameras of this network with the addresses of their streams (ONVIF)",
        epilog="A stream's address goes into `source` of a camera in the configuration, a smaller one into "
        "`substream`, with the login in it: rtsp://user:password@...",
    )
    discover.add_argument(
        "--interface", action="append", default=[], metavar="ADDR", help="own address on a network to ask; repeatable"
    )
    discover.add_argument("--seconds", type=positive, default=3.0, metavar="N", help="wait for answers (default 3)")
    discover.add_argument("--username", metavar="NAME", help="most cameras tell their streams only to a user")
    discover.add_argument("--password-file", type=Path, metavar="FILE", help="first line is the password")
    discover.add_argument("--json", action="store_true", help="print JSON")


def _run(options: argparse.Namespace) -> int:
    from agent.app import Agent
    from agent.config import load_config
    from agent.machine import share_freed_memory

    share_freed_memory()
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


def _discover(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from agent.clock import SystemClock
    from agent.config import read_secret
    from agent.discovery import Login, discover
    from agent.errors import ConfigError

    if (options.username is None) != (options.password_file is None):
        raise ConfigError("--username and --password-file belong together: give both or neither")
    login = Login(options.username, read_secret(options.password_file)) if options.username else None
    with Progress("cameras") as progress:
        cameras = discover(
            options.interface,
            seconds=options.seconds,
            login=login,
            utc_ns=SystemClock().now().utc_ns,
            on_progress=progress,
        )
    if options.json:
        print_json([asdict(camera) for camera in cameras])
        return 0
    for camera in cameras:
        print(f"{camera.name or camera.device_id}  {camera.hardware}  {camera.service}".rstrip())
        for stream in camera.streams:
            size = f"{stream.width}x{stream.height}"
            print(f"    {stream.address}  {size}  {stream.codec}  {stream.fps:g} fps  ({stream.profile})")
        if camera.problem:
            print(f"    {camera.problem}")
    if not cameras:
        say("no camera has answered; try --interface with this machine's address on the cameras' network, or --seconds")
    return 0
