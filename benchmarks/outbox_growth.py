"""What a growing outbox costs: memory of the process, and the time of each verb, at a thousand and a million entries.

``python -m benchmarks.outbox_growth [ENTRIES]``. A box without a link records minutes of four rows. Times are medians
of one run in milliseconds; what says something are the ratios of the largest outbox to the smallest. At the end a
limit just below has a tenth of the entries given up, and minutes go on being recorded meanwhile.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from agent.clock import SystemClock
from agent.machine import read_machine
from agent.store import Limits, Shedder, Store, Writer, open_store, record_rollups, stored_status
from agent.store.rows import upsert, wire_row
from agent.types import ANY, Rollup
from cloud_sync.outbox import Outbox, append_rollups
from cloud_sync.wire import Channel

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = 20
MINUTES_AT_ONCE = 1000
CLASSES = (ANY, "apple", "person", "vehicle")


def minute(start_s: int) -> list[Rollup]:
    """One minute of a camera: the whole picture, and three classes."""
    return [Rollup("north", ANY, name, start_s, 60, 1, 0, 60_000, 300, 4, 600, 5, 450.0) for name in CLASSES]


class Box:
    """Records minutes up to now, the oldest first."""

    def __init__(self, folder: Path, store: Store, entries: int) -> None:
        """Start with an empty outbox; ``entries`` minutes will be recorded."""
        self.folder = folder
        self.store = store
        self.clock = SystemClock(store.boot)
        self.writer = Writer(store.write)
        self.outbox = Outbox(store.read, self.writer, utc_ms=self.clock.utc_ms)
        now_s = self.clock.now().utc_ns // 10**9
        self._next_s = now_s - now_s % 60 - 60 * (entries + 10 * REPEATS)

    def record(self) -> None:
        """Store a minute and promise it."""
        parts, now = minute(self._next_s), self.clock.now()
        self._next_s += 60
        self.writer.submit(lambda connection: record_rollups(connection, parts, now=now, send=True)).result(600)

    def grow(self, entries: int) -> None:
        """Add minutes as ``record`` does, but many in a statement, until so many wait."""
        while (missing := entries - self.outbox.depth().entries) > 0:
            first_s, self._next_s = self._next_s, self._next_s + 60 * min(missing, MINUTES_AT_ONCE)
            minutes = [minute(start_s) for start_s in range(first_s, self._next_s, 60)]
            self.writer.submit(partial(_add, minutes=minutes, utc_ns=self.clock.now().utc_ns)).result(600)

    def measure(self) -> dict[str, float]:
        """Return memory in MB, and the time of each verb in milliseconds."""
        middle = self.outbox.last_seq() // 2
        return {
            "memory": read_machine(self.folder).memory_bytes / 1e6,
            "record": milliseconds(self.record),
            "depth": milliseconds(self.outbox.depth),
            "read 100": milliseconds(lambda: self.outbox.read([Channel.ROLLUP], after_seq=middle, limit=100)),
            "read alarms": milliseconds(lambda: self.outbox.read([Channel.ALARM], after_seq=0, limit=100)),
            "settle 20": milliseconds(
                lambda: self.outbox.settle(through=self.outbox.settled_through() + 20).result(600)
            ),
            "status": milliseconds(lambda: stored_status(self.folder)),
        }

    def shed(self, entries: int) -> tuple[float, float]:
        """Bound the outbox; return how many entries a second went, and how long recording waited at the longest, ms."""
        limits = Limits(entries=entries, size_bytes=10**12, disk_free_bytes=0)
        shedder = Shedder(self.store.read, self.writer, limits, now=self.clock.now, disk_free=lambda: None)
        gone, started_s, waits = 0, time.perf_counter(), [0.0]
        done = threading.Event()

        def keep_recording() -> None:
            while not done.wait(0.05):
                began_s = time.perf_counter()
                self.record()
                waits.append(1000 * (time.perf_counter() - began_s))

        recording = threading.Thread(target=keep_recording)
        recording.start()
        while step := shedder.shed(for_s=5):
            gone += step
        done.set()
        recording.join()
        return gone / (time.perf_counter() - started_s), max(waits)


def _add(connection: Connection, minutes: list[list[Rollup]], utc_ns: int) -> None:
    upsert(connection, [(part, 1) for parts in minutes for part in parts])
    for parts in minutes:
        append_rollups(connection, [wire_row(part, 1) for part in parts], boot=1, created_utc_ns=utc_ns)


def milliseconds(work: Callable[[], Any]) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - started_s)
    return 1000 * statistics.median(times)


def main() -> None:
    """Grow, measure, print."""
    parser = argparse.ArgumentParser(description="Measure an outbox that grows.")
    parser.add_argument("entries", nargs="?", type=int, default=SIZES[-1], help="at the end (default 1,000,000)")
    most = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as name, open_store(Path(name), SystemClock().now()) as store:
        box, stop = Box(Path(name), store, most), threading.Event()
        writing = threading.Thread(target=box.writer.run, args=(stop, lambda: None))
        writing.start()
        try:
            compare(box, [size for size in SIZES if size < most] + [most])
            limit = box.outbox.depth().entries * 99 // 100
            rate, longest_ms = box.shed(limit)
            depth = box.outbox.depth()
            print(f"bounded to {limit}: {depth.entries} entries left, {rate:.0f} given up a second,", end=" ")
            print(f"recording a minute waited {longest_ms:.0f} ms at the longest")
        finally:
            stop.set()
            writing.join()


def compare(box: Box, sizes: list[int]) -> None:
    """Print a line for each size, and the ratio of the last to the first."""
    results: list[dict[str, float]] = []
    for size in sizes:
        box.grow(size)
        results.append(box.measure())
        if size == sizes[0]:
            print(f"{'entries':>10}", *(f"{name:>12}" for name in results[0]))
        print(f"{size:>10}", *(f"{value:>12.2f}" for value in results[-1].values()), flush=True)
    print(f"{'ratio':>10}", *(f"{results[-1][name] / value:>12.2f}" for name, value in results[0].items()))


if __name__ == "__main__":
    main()
