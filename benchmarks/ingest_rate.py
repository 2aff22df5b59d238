"""Rows a second that one ingest worker decodes and stores, and the CPU that they cost, without a broker.

    python -m benchmarks.ingest_rate [--rows N] [--boxes N] [--json]

Messages are as boxes send them: minutes of 8 cameras, the whole and 3 classes each. ``backlog``: one box after an
outage, which joins ten minutes in a message. ``fleet``: many boxes, each with one minute, again and again.
"""

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, text

from cloud_sync.ingest import open_database
from cloud_sync.ingest.committing import commit
from cloud_sync.ingest.inbox import read
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import Box, Channel, RollupMessage, RollupRow, columns_of, encode
from tests.postgres import Postgres, find_programs

CAMERAS, CLASSES, MINUTES_A_MESSAGE = 8, ("*", "apple", "cherry", "pear"), 10
ROWS_A_MINUTE = CAMERAS * len(CLASSES)
BACKLOG_BATCH, FLEET_BATCH = 20, 100  # messages in a transaction: what a worker gathers in 50 ms, at most 100


def message(number: int, *, box: int = 1, minutes: int = MINUTES_A_MESSAGE) -> Arrived:
    """Return the bytes of one message of a box."""
    rows = [
        RollupRow(
            *(f"camera-{camera}", "*", name, 1_700_000_000 // 60 * 60 + 60 * minute, 60, 1, 59_800, 298),
            *((minute * 7 + camera) % 13, 0.1234 * (minute % 31), minute % 9, 0.7312 if minute % 3 else None),
        )
        for minute in range(number * minutes, (number + 1) * minutes)
        for camera in range(CAMERAS)
        for name in CLASSES
    ]
    columns = columns_of(rows)
    body = RollupMessage(stream=f"{box:032x}", seq=number * minutes + 1, count=minutes, boot=1, columns=columns)
    encoded = encode(body)
    return Arrived(1, 1, Box("farm", f"box-{box}").topic(Channel.ROLLUP), encoded.payload, False, encoded.encoding)


def backlog(rows: int) -> list[Arrived]:
    """Return what one box sends after an outage."""
    return [message(number) for number in range(rows // (MINUTES_A_MESSAGE * ROWS_A_MINUTE) + 1)]


def fleet(rows: int, boxes: int) -> list[Arrived]:
    """Return what many boxes send, minute by minute."""
    minutes = rows // (boxes * ROWS_A_MINUTE) + 1
    return [message(number, box=box, minutes=1) for number in range(minutes) for box in range(1, boxes + 1)]


def measure(engine: Engine, messages: list[Arrived], batch: int, server: int | None = None) -> dict[str, float]:
    """Store messages; return rates, and CPU microseconds a row of the worker and of the database's server."""
    before, started, own = _cpu_s(server), time.perf_counter(), time.process_time()
    stored = 0
    for first in range(0, len(messages), batch):
        incoming = [read(arrived) for arrived in messages[first : first + batch]]
        commit(engine, incoming, now_ms=1)
        stored += sum(len(item.message.columns.start) for item in incoming)  # type: ignore[union-attr]
    passed_s, own_s = time.perf_counter() - started, time.process_time() - own
    return {
        "rows": stored,
        "rows_per_s": round(stored / passed_s),
        "messages_per_s": round(len(messages) / passed_s),
        "worker_cpu_us_per_row": round(1e6 * own_s / stored, 1),
        "server_cpu_us_per_row": round(1e6 * (_cpu_s(server) - before) / stored, 1),
        "disk_bytes_per_row": round(_size_bytes(engine) / stored),
    }


def _size_bytes(engine: Engine) -> int:
    """Return what the rollups take on disk, indexes included."""
    if engine.dialect.name == "sqlite":
        return Path(str(engine.url.database)).stat().st_size
    sizes = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('rollup')"
    with engine.connect() as connection:
        return int(connection.execute(text(sizes)).scalar_one())


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
    parser.add_argument("--boxes", type=int, default=2_000, help="of the fleet (default 2,000)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    loads = {
        "backlog": (backlog(options.rows), BACKLOG_BATCH),
        "fleet": (fleet(options.rows, options.boxes), FLEET_BATCH),
    }
    results = {}
    with TemporaryDirectory() as folder:
        for name, (messages, batch) in loads.items():
            engine = open_database(f"sqlite:///{folder}/{name}.db")
            results[f"sqlite, {name}"] = measure(engine, messages, batch)
            engine.dispose()
    programs = find_programs()
    if programs is not None:
        server = Postgres(programs)
        server.start()
        for name, (messages, batch) in loads.items():
            engine = open_database(server.create_database())
            results[f"postgresql, {name}"] = measure(engine, messages, batch, server.pid)
            engine.dispose()
        server.remove()
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for kind, figures in results.items():
        print(f"{kind:20}", ", ".join(f"{name} {value:,}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
