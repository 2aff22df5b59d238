"""The command ``hedgerow``. JSON on stdout with ``--json``, messages on stderr, exit code 0 only on success."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from agent import __version__
from agent.cli import box, bundle, cloud, doctor, files, models
from agent.errors import HedgerowError
from cloud_sync.errors import SyncFatalError


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

    for group in (box, doctor, models, files, cloud, bundle):
        group.add_commands(command)
    return parser
