"""What a box commits: each step has records of its own, so that a loss, a double and a change all show."""

import random
from collections.abc import Callable

from sqlalchemy import Connection

from cloud_sync.outbox import append_event, append_evidence, append_rollups
from cloud_sync.wire import Channel, MeasureRow, RollupRow

Work = Callable[[Connection], object]

START_S = 1_700_000_000


def step(number: int) -> list[Work]:
    """Return what a box commits in its ``number``-th step, each in a transaction of its own or together."""
    works: list[Work] = [lambda connection: _append_windows(connection, number)]
    if number % 3 == 0:
        works.append(lambda connection: _append_event(connection, number, Channel.EVENT))
    if number % 8 == 0:
        works.append(lambda connection: _append_event(connection, number, Channel.ALARM))
    if number % 10 == 5:
        works.append(lambda connection: _append_picture(connection, number))
    return works


def _append_windows(connection: Connection, number: int) -> None:
    """Two new windows, a measure, and the last window of the step before once more, with a higher revision."""
    rows = [_row(2 * number), _row(2 * number + 1)]
    if number > 0:
        rows.append(_row(2 * number - 1)._replace(revision=2, unique_tracks=100 + number))
    measure = MeasureRow("north", "gate", "apple", "crossed_in", START_S + 60 * number, 60, 1, 2, number, 0.5, number)
    append_rollups(connection, rows, [measure], boot=1, created_utc_ns=0)


def _append_event(connection: Connection, number: int, channel: Channel) -> None:
    fields = {"kind": "step", "camera": "north", "at_ms": 1000 * number, "data": {"number": number}}
    append_event(connection, fields, boot=1, created_utc_ns=0, channel=channel)


def _append_picture(connection: Connection, number: int) -> None:
    fields = {"kind": "step", "camera": "north", "at_ms": 1000 * number, "width": 64, "height": 48, "data": {}}
    jpeg = b"\xff\xd8" + random.Random(number).randbytes(3000)
    append_evidence(connection, fields, jpeg, boot=1, created_utc_ns=0)


def _row(number: int) -> RollupRow:
    return RollupRow(
        camera="north",
        zone="*",
        class_name="apple",
        start=START_S + 60 * number,
        length=60,
        revision=1,
        observed_ms=60_000,
        frames=300,
        unique_tracks=number % 7,
        occupancy_mean=0.5,
        occupancy_max=3,
        confidence_mean=0.75,
    )
