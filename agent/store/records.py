"""What is written and read, each a function of a connection. Data and its outbox entry share the transaction."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from agent.places import Assignment
from agent.store.merging import HOUR_S, Window, merge_windows, merged_around
from agent.store.rows import fields_of, stored, upsert, wire_measure, wire_row
from agent.store.schema import event as event_table
from agent.store.schema import rollup as rollup_table
from agent.summaries import merge, merge_measures
from agent.types import Event, Instant, MeasureRollup, Rollup
from cloud_sync.outbox import append_event, append_rollups
from cloud_sync.wire import Channel, MeasureRow, RollupRow


def record_rollups(
    connection: Connection, parts: Sequence[Rollup | MeasureRollup], *, now: Instant, send: bool
) -> None:
    """Store parts of windows, adding up with what is stored under the same key, and promise the result to the cloud.

    A part of a window that was merged into a longer one adds up there: the cloud takes no shorter one any more.

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
    rows, measure_rows = _merge_again(connection, rows, measure_rows)
    if send:
        _promise(connection, rows, measure_rows, now)


def _store_rollup(connection: Connection, part: Rollup) -> RollupRow:
    before = stored(connection, part)
    whole, revision = part, 1
    if before is not None:
        revision = before.pop("revision") + 1
        whole = merge(Rollup(**before), part)
    upsert(connection, [(whole, revision)])
    return wire_row(whole, revision)


def _store_measure(connection: Connection, part: MeasureRollup) -> MeasureRow:
    before = stored(connection, part)
    whole, revision = part, 1
    if before is not None:
        revision = before.pop("revision") + 1
        whole = merge_measures(MeasureRollup(**before), part)
    upsert(connection, [(whole, revision)])
    return wire_measure(whole, revision)


def _merge_again(
    connection: Connection, rows: list[RollupRow], measures: list[MeasureRow]
) -> tuple[list[RollupRow], list[MeasureRow]]:
    """Put rows that were just stored into the merged windows in which they lie; return what to tell in their place."""
    windows = {(row.camera, row.start, row.length) for row in rows}
    windows |= {(row.camera, row.start, row.length) for row in measures}
    into = {window: merged_around(connection, *window) for window in windows}
    if not any(into.values()):
        return rows, measures
    cameras: defaultdict[Window, set[str]] = defaultdict(set)
    for (camera, _, _), longer in into.items():
        if longer is not None:
            cameras[longer].add(camera)
    rows = [row for row in rows if into[row.camera, row.start, row.length] is None]
    measures = [row for row in measures if into[row.camera, row.start, row.length] is None]
    for longer, of in cameras.items():
        more_rows, more_measures = merge_windows(connection, of, longer)
        rows += more_rows
        measures += more_measures
    return rows, measures


def _promise(connection: Connection, rows: Iterable[RollupRow], measures: Iterable[MeasureRow], now: Instant) -> None:
    """Add an entry for each hour and length of window: such can be merged into longer windows later."""
    entries: defaultdict[tuple[int, int], tuple[list[RollupRow], list[MeasureRow]]] = defaultdict(lambda: ([], []))
    for row in rows:
        entries[row.start // HOUR_S, row.length][0].append(row)
    for measure in measures:
        entries[measure.start // HOUR_S, measure.length][1].append(measure)
    for _, (some, some_measures) in sorted(entries.items()):
        append_rollups(connection, some, some_measures, boot=now.boot, created_utc_ns=now.utc_ns)


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
    if send:
        _promise(connection, rows, [], now)
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
        before = fields_of(row)
        revision = before.pop("revision") + 1
        whole = replace(Rollup(**before), place=assignment.place)
        upsert(connection, [(whole, revision)])
        yield wire_row(whole, revision)


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
