"""What is written and read, each a function of a connection. Data and its outbox entry share the transaction."""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from agent.status import HourCount
from agent.store.schema import event as event_table
from agent.store.schema import rollup as rollup_table
from agent.summaries import merge
from agent.types import ANY, Event, Instant, Rollup
from cloud_sync.outbox import append_event, append_rollups
from cloud_sync.wire import RollupRow


def record_rollups(connection: Connection, rollups: Sequence[Rollup], *, now: Instant, send: bool) -> None:
    """Store rollups, adding up with what is stored under the same key, and promise the result to the cloud.

    Args:
        connection: In a write transaction.
        rollups: Parts of windows; several of one key add up.
        now: For the outbox entry.
        send: Whether this box has a cloud to send to.
    """
    parts: dict[tuple[str, str, str, int, int], Rollup] = {}
    for part in rollups:
        parts[part.key] = merge(parts[part.key], part) if part.key in parts else part
    rows = [_store(connection, part) for part in parts.values()]
    if send and rows:
        append_rollups(connection, rows, boot=now.boot, created_utc_ns=now.utc_ns)


def _store(connection: Connection, part: Rollup) -> RollupRow:
    columns = rollup_table.c
    key = (
        (columns.camera == part.camera)
        & (columns.zone == part.zone)
        & (columns.class_name == part.class_name)
        & (columns.window_start_s == part.window_start_s)
        & (columns.window_s == part.window_s)
    )
    stored = connection.execute(select(rollup_table).where(key)).mappings().one_or_none()
    whole, revision = part, 1
    if stored is not None:
        earlier = {_FIELD_OF.get(name, name): value for name, value in stored.items() if name != "revision"}
        whole, revision = merge(Rollup(**earlier), part), stored["revision"] + 1
    values = {name: getattr(whole, _FIELD_OF.get(name, name)) for name in columns.keys() if name != "revision"}  # noqa: SIM118  a ColumnCollection iterates over columns
    statement = insert(rollup_table).values(**values, revision=revision)
    connection.execute(statement.on_conflict_do_update(set_={**values, "revision": revision}))
    return _wire_row(whole, revision)


_FIELD_OF = {"unique_tracks": "unique"}  # UNIQUE is a word of SQL


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
    )


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
        append_event(connection, fields, boot=event.at.boot, created_utc_ns=event.at.utc_ns)


def counts_since(connection: Connection, since_s: int, unfinished: Iterable[Rollup] = ()) -> list[HourCount]:
    """Add up whole-picture rollups by camera and class.

    Args:
        connection: For reading.
        since_s: UTC seconds; windows that start from here on count.
        unfinished: Windows that are not stored yet, to be added.

    Returns:
        One row a camera and class, sorted. A class has rollups only for the windows in which it was seen; it is
        measured against all that its camera watched.
    """
    c = rollup_table.c
    query = (
        select(
            c.camera,
            c.class_name,
            func.sum(c.unique_tracks),
            func.sum(c.observed_ms),
            func.sum(c.frames),
            func.sum(c.presence),
            func.max(c.occupancy_max),
        )
        .where(c.window_start_s >= since_s, c.zone == ANY)
        .group_by(c.camera, c.class_name)
    )
    sums = {(camera, name): tuple(values) for camera, name, *values in connection.execute(query)}
    for part in unfinished:
        if part.zone == ANY and part.window_start_s >= since_s:
            key = (part.camera, part.class_name)
            unique, observed_ms, frames, presence, peak = sums.get(key, (0, 0, 0, 0, 0))
            sums[key] = (
                unique + part.unique,
                observed_ms + part.observed_ms,
                frames + part.frames,
                presence + part.presence,
                max(peak, part.occupancy_max),
            )
    return [_count(camera, name, sums) for camera, name in sorted(sums)]


def _count(camera: str, class_name: str, sums: dict[tuple[str, str], tuple[int, ...]]) -> HourCount:
    unique, _, _, presence, peak = sums[camera, class_name]
    _, observed_ms, frames, _, _ = sums.get((camera, ANY), (0, 0, 0, 0, 0))
    mean = presence / frames if frames else 0.0
    return HourCount(camera, class_name, unique, observed_ms / 1000, frames, mean, peak)


RETENTION_CHUNK_ROWS = 5000


def delete_older(connection: Connection, before_utc_ns: int) -> int:
    """Delete up to a chunk of rollups and events older than the limit; return how many, 0 when none are left.

    In chunks, so that other writes never wait long. The outbox is not touched: it holds its own copy of what is unsent.
    """
    old_rollups = (
        select(
            rollup_table.c.camera,
            rollup_table.c.zone,
            rollup_table.c.class_name,
            rollup_table.c.window_start_s,
            rollup_table.c.window_s,
        )
        .where(rollup_table.c.window_start_s < before_utc_ns // 1_000_000_000)
        .limit(RETENTION_CHUNK_ROWS)
    )
    gone = connection.execute(
        delete(rollup_table).where(tuple_(*rollup_table.primary_key.columns).in_(old_rollups))
    ).rowcount
    old_events = select(event_table.c.id).where(event_table.c.utc_ns < before_utc_ns).limit(RETENTION_CHUNK_ROWS)
    gone += connection.execute(delete(event_table).where(event_table.c.id.in_(old_events))).rowcount
    return int(gone)
