"""What is written and read, each a function of a connection. Data and its outbox entry share the transaction."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Table, delete, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from agent.places import Assignment
from agent.store.schema import event as event_table
from agent.store.schema import measure as measure_table
from agent.store.schema import rollup as rollup_table
from agent.summaries import merge, merge_measures
from agent.types import Event, Instant, MeasureRollup, Rollup
from cloud_sync.outbox import append_event, append_rollups
from cloud_sync.wire import Channel, MeasureRow, RollupRow


def record_rollups(
    connection: Connection, parts: Sequence[Rollup | MeasureRollup], *, now: Instant, send: bool
) -> None:
    """Store parts of windows, adding up with what is stored under the same key, and promise the result to the cloud.

    Args:
        connection: In a write transaction.
        parts: Several of one key add up.
        now: For the outbox entry.
        send: Whether this box has a cloud to send to.
    """
    rollups: dict[tuple[object, ...], Rollup] = {}
    measures: dict[tuple[object, ...], MeasureRollup] = {}
    for part in parts:
        if isinstance(part, Rollup):
            rollups[part.key] = merge(rollups[part.key], part) if part.key in rollups else part
        else:
            measures[part.key] = merge_measures(measures[part.key], part) if part.key in measures else part
    rows = [_store_rollup(connection, part) for part in rollups.values()]
    measure_rows = [_store_measure(connection, part) for part in measures.values()]
    if send and (rows or measure_rows):
        append_rollups(connection, rows, measure_rows, boot=now.boot, created_utc_ns=now.utc_ns)


def _store_rollup(connection: Connection, part: Rollup) -> RollupRow:
    stored = _stored(connection, rollup_table, part)
    whole, revision = part, 1
    if stored is not None:
        revision = stored.pop("revision") + 1
        whole = merge(Rollup(**stored), part)
    _upsert(connection, rollup_table, {**_columns_of(whole), "revision": revision})
    return _wire_row(whole, revision)


def _store_measure(connection: Connection, part: MeasureRollup) -> MeasureRow:
    stored = _stored(connection, measure_table, part)
    whole, revision = part, 1
    if stored is not None:
        revision = stored.pop("revision") + 1
        whole = merge_measures(MeasureRollup(**stored), part)
    _upsert(connection, measure_table, {**_columns_of(whole), "revision": revision})
    return MeasureRow(
        camera=whole.camera,
        zone=whole.zone,
        class_name=whole.class_name,
        name=whole.name,
        start=whole.window_start_s,
        length=whole.window_s,
        revision=revision,
        readings=whole.count,
        total=round(whole.total, _DECIMALS),
        least=round(whole.least, _DECIMALS),
        most=round(whole.most, _DECIMALS),
    )


_DECIMALS = 7  # of a measure on the wire: a centimetre, for what is in degrees

_COLUMN_OF = {"unique": "unique_tracks", "count": "readings"}  # UNIQUE and COUNT are words of SQL
_FIELD_OF = {column: field for field, column in _COLUMN_OF.items()}


def _columns_of(part: Rollup | MeasureRollup) -> dict[str, Any]:
    return {_COLUMN_OF.get(name, name): value for name, value in asdict(part).items()}


def _stored(connection: Connection, table: Table, part: Rollup | MeasureRollup) -> dict[str, Any] | None:
    """Return the fields of what is stored under the key of ``part``, and its revision."""
    values = _columns_of(part)
    query = select(table).where(*(column == values[column.name] for column in table.primary_key))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _fields_of(row)


def _fields_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {_FIELD_OF.get(name, name): value for name, value in row.items()}


def _upsert(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    connection.execute(insert(table).values(values).on_conflict_do_update(set_=values))


def _wire_row(whole: Rollup, revision: int) -> RollupRow:
    return RollupRow(
        camera=whole.camera,
        zone=whole.zone,
        class_name=whole.class_name,
        start=whole.window_start_s,
        length=whole.window_s,
        revision=revision,
        observed_ms=whole.observed_ms,
        frames=whole.frames,
        unique_tracks=whole.unique,
        occupancy_mean=round(whole.presence / whole.frames, 3) if whole.frames else 0.0,
        occupancy_max=whole.occupancy_max,
        confidence_mean=round(min(whole.score_sum / whole.presence, 1.0), 3) if whole.presence else None,
        place=whole.place,
    )


def assign_places(connection: Connection, assignments: Iterable[Assignment], *, now: Instant, send: bool) -> int:
    """Give windows that had none a place, each row with a new revision, and promise them to the cloud.

    Args:
        connection: In a write transaction.
        assignments: A window of a camera in all its zones and classes; one that has a place by now keeps it.
        now: For the outbox entry.
        send: Whether this box has a cloud to send to.

    Returns:
        How many rows have a place now.
    """
    rows = [row for each in assignments for row in _assign(connection, each)]
    if send and rows:
        append_rollups(connection, rows, boot=now.boot, created_utc_ns=now.utc_ns)
    return len(rows)


def _assign(connection: Connection, assignment: Assignment) -> Iterator[RollupRow]:
    c = rollup_table.c
    query = select(rollup_table).where(
        c.camera == assignment.camera,
        c.window_start_s == assignment.window_start_s,
        c.window_s == assignment.window_s,
        c.place == "",
    )
    for row in connection.execute(query).mappings().all():
        stored = _fields_of(row)
        revision = stored.pop("revision") + 1
        whole = replace(Rollup(**stored), place=assignment.place)
        _upsert(connection, rollup_table, {**_columns_of(whole), "revision": revision})
        yield _wire_row(whole, revision)


def record_event(connection: Connection, event: Event, *, send: bool) -> None:
    """Store an event and promise it to the cloud."""
    connection.execute(
        insert(event_table).values(
            kind=event.kind,
            camera=event.camera,
            utc_ns=event.at.utc_ns,
            monotonic_ns=event.at.monotonic_ns,
            boot=event.at.boot,
            data=json.dumps(dict(event.data)),
        )
    )
    if send:
        fields = {
            "kind": event.kind,
            "camera": event.camera,
            "at_ms": event.at.utc_ns // 1_000_000,
            "data": dict(event.data),
        }
        channel = Channel.ALARM if event.alarm else Channel.EVENT
        append_event(connection, fields, boot=event.at.boot, created_utc_ns=event.at.utc_ns, channel=channel)


RETENTION_CHUNK_ROWS = 5000


def delete_older(connection: Connection, before_utc_ns: int) -> int:
    """Delete up to a chunk of rollups, measures and events older than the limit; return how many, 0 when none are left.

    In chunks, so that other writes never wait long. The outbox is not touched: it holds its own copy of what is unsent.
    """
    gone = 0
    limits = (
        (rollup_table, rollup_table.c.window_start_s < before_utc_ns // 1_000_000_000),
        (measure_table, measure_table.c.window_start_s < before_utc_ns // 1_000_000_000),
        (event_table, event_table.c.utc_ns < before_utc_ns),
    )
    for table, is_old in limits:
        key = list(table.primary_key)
        old = select(*key).where(is_old).limit(RETENTION_CHUNK_ROWS)
        gone += connection.execute(delete(table).where(tuple_(*key).in_(old))).rowcount
    return gone
