"""From the start of the process to the first detection that a power cut would leave."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from agent.store import DATABASE
from agent.store.checkpoint import FILE as CHECKPOINT
from benchmarks.daemon import daemon
from benchmarks.figures import Figure
from tests.waiting import free_ports

_LONGEST_S = 60.0
_LOOK_S = 0.02


def first_detection(folder: Path, video: Path, *, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Start the agent on a recording with a fresh data directory, and look into that from outside.

    Stored is what the next start would find: a row of the database, or one in the note of windows that are still open.
    """
    found = []
    for number in range(rounds):
        (port,) = free_ports(1)
        data = folder / f"data-start-{number}"
        camera = f'[[cameras]]\nname = "cam"\nsource = "{video}"\nloop = true\n'
        started_s = time.monotonic()
        with daemon(data, camera, port):
            while not _detected(data) and time.monotonic() < started_s + _LONGEST_S:
                time.sleep(_LOOK_S)
            found.append(time.monotonic() - started_s)
        say(f"  round {number + 1}: {found[-1]:.2f} s")
    note = "1080p file, fresh database; in the note of open windows, on disk"
    return [Figure("start to first stored detection", "s", tuple(found), at_most=2.5, note=note)]


def _detected(data: Path) -> bool:
    return _noted(data) or _in_database(data)


def _noted(data: Path) -> bool:
    try:
        rollups = json.loads((data / CHECKPOINT).read_text(encoding="utf-8"))["rollups"]
    except FileNotFoundError:
        return False
    return any(rollup["occupancy_max"] for rollup in rollups)


def _in_database(data: Path) -> bool:
    try:
        connection = sqlite3.connect(f"file:{data / DATABASE}?mode=ro", uri=True, timeout=0.1)
    except sqlite3.Error:
        return False
    try:
        return connection.execute("SELECT 1 FROM rollup WHERE occupancy_max > 0 LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return False  # not made yet
    finally:
        connection.close()
