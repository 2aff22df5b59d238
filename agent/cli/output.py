"""What commands print: JSON, lines for a person, a progress bar."""

import json
import sys
import time
from typing import Any, Self


def say(text: str) -> None:
    """Write a line for a person to standard error."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Write a value to standard output."""
    print(json.dumps(value, indent=2))


class Progress:
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
