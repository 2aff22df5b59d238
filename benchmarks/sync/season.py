"""Databases of boxes whose outbox is full: of minute rollups, or of small events."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from benchmarks.sync.rows import CAMERAS, FIRST_MINUTE_S, ROWS_A_MINUTE, minute_bodies
from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.sqlite import open_sqlite
from cloud_sync.wire import Channel
from tests.faults.ends import BoxEnd

BATCH = 2_000


def fill_with_rollups(database: Path, rows: int, *, seed: int = 1) -> int:
    """Make a box's database whose outbox holds so many rollup rows, or a few more; return how many."""
    minutes = -(-rows // ROWS_A_MINUTE)
    _fill(database, Channel.ROLLUP, minute_bodies(minutes, seed=seed))
    return minutes * ROWS_A_MINUTE


def fill_with_events(database: Path, count: int) -> list[bytes]:
    """Make a box's database whose outbox holds so many small events; return their bodies."""
    bodies = [json.dumps(_event(number)).encode() for number in range(count)]
    _fill(database, Channel.EVENT, iter(bodies))
    return bodies


def _event(number: int) -> dict[str, Any]:
    return {
        "kind": "crossed",
        "camera": f"row-{1 + number % CAMERAS}",
        "at_ms": 1000 * FIRST_MINUTE_S + number,
        "data": {"number": number},
    }


def _fill(database: Path, channel: Channel, bodies: Iterator[bytes]) -> None:
    BoxEnd(database).close()  # makes the tables and mints the stream
    engine = open_sqlite(database, write=True)
    seq = 0
    with engine.begin() as connection:
        while batch := [body for _, body in zip(range(BATCH), bodies, strict=False)]:
            values = [
                {"seq": seq + number, "channel": channel, "boot": 1, "created_utc_ns": 0, "body": body}
                for number, body in enumerate(batch, start=1)
            ]
            connection.execute(insert(outbox), values)
            seq += len(batch)
        connection.execute(update(stream).values(next_seq=seq + 1))
    engine.dispose()
