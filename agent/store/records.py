"""What is written and read, each a function of a connection. Data and its outbox entry share the transaction."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from agent.places import Assignment
from agent.store.boots import corrections
from agent.store.dating import dated, event_dated
from agent.store.merging import Window, merge_windows, merged_around
from agent.store.promises import Stored, promise
from agent.store.rows import fields_of, stored, upsert
from agent.store.schema import event as event_table
from agent.store.schema import rollup as rollup_table
from agent.summaries import add_up, merge, merge_measures
from agent.types import Event, Instant, MeasureRollup, Rollup
from cloud_sync.outbox import append_event
from cloud_sync.wire import Channel


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
    known = corrections(connection)
    for part in (dated(part, known) for part in parts):
        if isinstance(part, Rollup):
            rollups[part.key] = merge(rollups[part.key], part) if part.key in rollups else part
        else:
            measures[part.key] = merge_measures(measures[part.key], part) if part.key in measures else part
    wholes: Iterable[Rollup | MeasureRollup] = (*rollups.values(), *measures.values())
    rows = _merge_again(connection, [_store(connection, part) for part in wholes])
    if send:
        promise(connection, rows, created_utc_ns=now.utc_ns)


def _store(connection: Connection, part: Rollup | MeasureRollup) -> Stored:
    before = stored(connection, part)
    if before is None:
        whole: Stored = part, 1
    else:
        revision = before.pop("revision") + 1
        whole = add_up(type(part)(**before), part), revision
    upsert(connection, [whole])
    return whole


def _merge_again(connection: Connection, rows: list[Stored]) -> list[Stored]:
    """Put rows that were just stored into the merged windows in which they lie; return what to tell in their place."""
    windows = {(whole.camera, whole.window_start_s, whole.window_s) for whole, _ in rows}
    into = {window: merged_around(connection, *window) for window in windows}
    if not any(into.values()):
        return rows
    cameras: defaultdict[Window, set[str]] = defaultdict(set)
    for (camera, _, _), longer in into.items():
        if longer is not None:
            cameras[longer].add(camera)
    rows = [row for row in rows if into[row[0].camera, row[0].window_start_s, row[0].window_s] is None]
    for longer, of in cameras.items():
        rows += merge_windows(connection, of, longer)
    return rows


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
        promise(connection, rows, created_utc_ns=now.utc_ns)
    return len(rows)


def _assign(connection: Connection, assignment: Assignment) -> Iterator[Stored]:
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
        yield whole, revision


def record_event(connection: Connection, event: Event, *, send: bool) -> None:
    """Store an event and promise it to the cloud."""
    event = event_dated(event, corrections(connection))
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
