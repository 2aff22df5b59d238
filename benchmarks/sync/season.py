"""What a box writes in a season: rollup rows of eight cameras and three classes, a minute an entry, and small events.

Counts follow the day: none at night, many at noon, with noise. The same seed gives the same rows.
"""

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.sqlite import open_sqlite
from cloud_sync.wire import Channel, RollupRow
from tests.faults.ends import BoxEnd

CAMERAS = tuple(f"row-{number}" for number in range(1, 9))
CLASSES = ("apple", "cherry", "pear")
ROWS_A_MINUTE = len(CAMERAS) * (1 + len(CLASSES))  # a row a class, and one that says how long the camera observed
FIRST_MINUTE_S = 1_790_000_040
BATCH = 2_000


def minute(number: int, dice: random.Random) -> list[RollupRow]:
    """Return the rows of one minute, as the recorder hands them to the outbox together."""
    light = max(0.0, math.sin(2 * math.pi * (number % 1440) / 1440))
    start = FIRST_MINUTE_S + 60 * number
    rows = []
    for camera in CAMERAS:
        frames = 300 - dice.randrange(3)
        observed_ms = frames * 200
        watched = RollupRow(camera, "*", "*", start, 60, 1, observed_ms, frames, 0, 0.0, 0, None)
        seen = [_seen(watched, name, light, dice) for name in CLASSES]
        tracks, most = sum(row.unique_tracks for row in seen), max(row.occupancy_max for row in seen)
        mean = round(sum(row.occupancy_mean for row in seen), 3)
        rows += [watched._replace(unique_tracks=tracks, occupancy_mean=mean, occupancy_max=most), *seen]
    return rows


def _seen(watched: RollupRow, name: str, light: float, dice: random.Random) -> RollupRow:
    tracks = int(dice.expovariate(1 / (12 * light))) if light else 0
    return watched._replace(
        class_name=name,
        unique_tracks=tracks,
        occupancy_mean=round(tracks * dice.uniform(0.1, 0.4), 3),
        occupancy_max=(tracks + 1) // 2,
        confidence_mean=round(dice.uniform(0.4, 0.9), 3) if tracks else None,
    )


def fill_with_rollups(database: Path, rows: int, *, seed: int = 1) -> int:
    """Make a box's database whose outbox holds so many rollup rows, or a few more; return how many."""
    dice = random.Random(seed)
    minutes = -(-rows // ROWS_A_MINUTE)
    bodies = (
        json.dumps({"rollups": minute(number, dice), "measures": []}, separators=(",", ":")).encode()
        for number in range(minutes)
    )
    _fill(database, Channel.ROLLUP, bodies)
    return minutes * ROWS_A_MINUTE


def fill_with_events(database: Path, count: int) -> list[bytes]:
    """Make a box's database whose outbox holds so many small events; return their bodies."""
    bodies = [json.dumps(_event(number)).encode() for number in range(count)]
    _fill(database, Channel.EVENT, iter(bodies))
    return bodies


def _event(number: int) -> dict[str, Any]:
    camera = CAMERAS[number % len(CAMERAS)]
    return {"kind": "crossed", "camera": camera, "at_ms": 1000 * FIRST_MINUTE_S + number, "data": {"number": number}}


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
