"""The command ``hedgerow`` as a person or a service manager runs it, and what both databases hold afterwards."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import eventually

HEDGEROW = [sys.executable, "-m", "agent.cli"]
ROOT = Path(__file__).resolve().parents[2]


def hedgerow(
    *arguments: str | Path, timeout_s: float = 60, prefix: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; ``prefix`` is a program that starts it."""
    command = [*prefix, *HEDGEROW, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT)


@dataclass
class Program:
    """A command that runs beside the test; what it says goes to a file.

    ``prefix`` is a program that starts it, ``environment`` what is added to the test's own.
    """

    arguments: tuple[str | Path, ...]
    log: Path
    prefix: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> "Program":
        with self.log.open("ab") as log:
            command = [*self.prefix, *HEDGEROW, *map(str, self.arguments)]
            environment = os.environ | self.environment
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=environment, start_new_session=True
            )
        return self

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_for_word(self, pattern: str, timeout_s: float = 30) -> re.Match[str]:
        """Wait until it has said something."""
        eventually(lambda: re.search(pattern, self.said()) or self.process.poll() is not None, timeout_s, self.said)
        match = re.search(pattern, self.said())
        assert match, f"it ended with {self.process.poll()}:\n{self.said()}"
        return match

    def end(self, number: int = signal.SIGTERM, timeout_s: float = 10) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


def rows(database: Path, query: str) -> list[tuple]:
    """Ask a database that others may be writing to; one that is still being made has no rows."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        made = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'rollup'").fetchone()[0]
        return connection.execute(query).fetchall() if made else []


def rollups_on_the_box(database: Path) -> set[tuple]:
    return set(
        rows(
            database,
            "SELECT camera, zone, class_name, window_start_s, window_s, revision, observed_ms, frames, unique_tracks,"
            " occupancy_max FROM rollup",
        )
    )


def rollups_in_the_cloud(database: Path) -> set[tuple]:
    return set(
        rows(
            database,
            "SELECT camera, zone, class_name, start, length, revision, observed_ms, frames, unique_tracks,"
            " occupancy_max FROM rollup",
        )
    )


def events(database: Path, at_ms: str) -> list[tuple]:
    """All events, sorted: a list, so that a double shows."""
    return sorted(rows(database, f"SELECT kind, camera, {at_ms}, data FROM event"), key=repr)


def events_on_the_box(database: Path) -> list[tuple]:
    return events(database, "utc_ns / 1000000")


def events_in_the_cloud(database: Path) -> list[tuple]:
    return events(database, "at_ms")
