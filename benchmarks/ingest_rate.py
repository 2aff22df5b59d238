"""Rows a second that one ingest worker decodes and stores, and the CPU that they cost, without a broker.

    python -m benchmarks.ingest_rate [--rows N] [--json]

Messages are as a box sends them: a minute of 8 cameras, the whole and 3 classes each, joined to some hundred rows.
"""

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from cloud_sync.ingest import open_database
from cloud_sync.ingest.committing import commit
from cloud_sync.ingest.inbox import read
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import Box, Channel, RollupMessage, RollupRow, columns_of, encode
from tests.postgres import Postgres, find_programs

CAMERAS, CLASSES, MINUTES_A_MESSAGE, BATCH = 8, ("*", "apple", "cherry", "pear"), 10, 20


def message(number: int) -> Arrived:
    """Return the bytes of one message."""
    rows = [
        RollupRow(
            *(f"camera-{camera}", "*", name, 1_700_000_000 // 60 * 60 + 60 * minute, 60, 1, 59_800, 298),
            *((minute * 7 + camera) % 13, 0.1234 * (minute % 31), minute % 9, 0.7312 if minute % 3 else None),
        )
        for minute in range(number * MINUTES_A_MESSAGE, (number + 1) * MINUTES_A_MESSAGE)
        for camera in range(CAMERAS)
        for name in CLASSES
    ]
    columns = columns_of(rows)
    first = number * MINUTES_A_MESSAGE + 1
    body = RollupMessage(stream="0" * 32, seq=first, count=MINUTES_A_MESSAGE, boot=1, columns=columns)
    encoded = encode(body)
    return Arrived(1, 1, Box("farm", "box-1").topic(Channel.ROLLUP), encoded.payload, False, encoded.encoding)


def measure(engine: Engine, rows: int, server: int | None = None) -> dict[str, float]:
    """Store so many rows; return rows a second, and CPU microseconds a row of the worker and of the server process."""
    a_message = MINUTES_A_MESSAGE * CAMERAS * len(CLASSES)
    messages = [message(number) for number in range(rows // a_message + 1)]
    before, started, own = _cpu_s(server), time.perf_counter(), time.process_time()
    for first in range(0, len(messages), BATCH):
        commit(engine, [read(arrived) for arrived in messages[first : first + BATCH]], now_ms=1)
    stored = len(messages) * a_message
    passed_s, own_s = time.perf_counter() - started, time.process_time() - own
    return {
        "rows": stored,
        "rows_per_s": round(stored / passed_s),
        "worker_cpu_us_per_row": round(1e6 * own_s / stored, 1),
        "server_cpu_us_per_row": round(1e6 * (_cpu_s(server) - before) / stored, 1),
    }


def _cpu_s(server: int | None) -> float:
    """Return the CPU time of a process, its children, and those of them that have ended."""
    if server is None:
        return 0.0
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(stat.parent.name) == server:
            ticks += sum(int(field) for field in fields[11:15])
        elif int(fields[1]) == server:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the figures of both kinds of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {}
    with TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/cloud.db")
        results["sqlite"] = measure(engine, options.rows)
        engine.dispose()
    programs = find_programs()
    if programs is not None:
        server = Postgres(programs)
        server.start()
        engine = open_database(server.create_database())
        results["postgresql"] = measure(engine, options.rows, server.pid)
        engine.dispose()
        server.remove()
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for kind, figures in results.items():
        print(f"{kind:12}", ", ".join(f"{name} {value:,}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
