"""The command that looks a box over: doctor."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.output import print_json

if TYPE_CHECKING:
    from agent.detection.choice import BackendTable
    from agent.doctor import Finding

_DESCRIPTION = """\
Look a box over, and say what to do about what is wrong.

It measures the model on every runtime that is installed here (and the agent remembers the best), opens each camera
and takes its first frames, goes all the way to the broker (TCP, TLS, login, rights), and checks disk, clock,
permissions and the service. Run it as the user that runs the agent. A camera that allows only one viewer shows as
failing while the agent runs."""


def add_commands(command: Any) -> None:
    """Add it to the parser."""
    doctor = command("doctor", _doctor, "look a box over: runtimes, disk, cameras, broker, clock, permissions, service")
    doctor.formatter_class = argparse.RawDescriptionHelpFormatter
    doctor.description = _DESCRIPTION
    doctor.epilog = "Exit code: 0 when nothing fails (warnings are fine), 1 otherwise."
    doctor.add_argument("--config", type=Path, metavar="FILE", help="the box's; without it only the machine is checked")
    doctor.add_argument("--json", action="store_true", help="print JSON")


def _doctor(options: argparse.Namespace) -> int:
    from agent.clock import SystemClock
    from agent.config import load_config
    from agent.detection import bundled_model_path
    from agent.doctor import examine
    from agent.modelstore.opening import model_path

    config = None if options.config is None else load_config(options.config)
    model = bundled_model_path if config is None else partial(model_path, config)
    shown = (lambda _finding: None) if options.json else _show
    result = examine(config, options.config, SystemClock(), model=model, on_finding=shown)
    if options.json:
        print_json(result.as_dict())
    elif result.backends is not None:
        _show_backends(result.backends)
    sys.stdout.flush()
    code = int(result.failed)
    if any("no answer within" in finding.text for finding in result.findings):
        os._exit(code)  # a check that hangs in native code must not keep the program
    return code


def _show(finding: "Finding") -> None:
    print(
        f"{finding.level:<5} {finding.check:<20} {finding.text}"
        + (f". {_sentence(finding.advice)}" if finding.advice else "")
    )
    sys.stdout.flush()


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _show_backends(table: "BackendTable") -> None:
    print(f"\n{'runtime':<14}{'ms a frame':>11}{'CPU ms':>8}{'memory':>9}{'loads in':>10}  computes in")
    for trial in table.trials:
        mark = " *" if trial.backend == table.chosen else ""
        if trial.wall_ms is None or trial.cpu_ms is None or trial.memory_bytes is None or trial.load_s is None:
            print(f"{trial.backend:<14}{trial.problem}")
            continue
        print(
            f"{trial.backend + mark:<14}{trial.wall_ms:>11.1f}{trial.cpu_ms:>8.1f}{trial.memory_bytes / 1e6:>6.0f} MB"
            f"{trial.load_s:>8.1f} s  {trial.precision}"
        )
