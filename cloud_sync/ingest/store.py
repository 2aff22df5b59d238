"""Stores a batch of messages in the caller's transaction. Idempotent: the same message again changes nothing."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.dialects.sqlite import insert

from cloud_sync.ingest import ledger
from cloud_sync.ingest.inbox import Incoming, Refused
from cloud_sync.ingest.schema import device, event, measure, quarantine, rollup
from cloud_sync.wire import (
    AckMessage,
    BirthMessage,
    Box,
    Envelope,
    EventMessage,
    HealthMessage,
    RollupMessage,
    StateMessage,
    measure_rows_of,
    rows_of,
)

log = structlog.get_logger()

QUARANTINE_ROWS = 10_000
QUARANTINE_PAYLOAD_BYTES = 64 * 1024


@dataclass(slots=True)
class _Gathered:
    """What a batch comes to, before it is written in as few statements as possible."""

    rollups: list[dict[str, Any]] = field(default_factory=list)
    measures: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    devices: dict[Box, dict[str, Any]] = field(default_factory=dict)
    seqs: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # by stream
    owners: dict[str, Box] = field(default_factory=dict)  # by stream
    refused: list[Refused] = field(default_factory=list)


def store(connection: Connection, batch: Iterable[Incoming | Refused], *, now_ms: int) -> dict[Box, list[AckMessage]]:
    """Store a batch; return what to tell the boxes once the transaction has committed.

    Args:
        connection: In a write transaction; nothing may be acknowledged to anybody before it has committed.
        batch: In the order of arrival.
        now_ms: UTC.
    """
    gathered = _Gathered()
    for item in batch:
        if isinstance(item, Refused):
            gathered.refused.append(item)
        elif isinstance(item.message, Envelope):
            _gather_data(connection, item, item.message, gathered, now_ms)
        else:
            gathered.devices.setdefault(item.box, {}).update(_about_device(item, now_ms))
    _write(connection, gathered, now_ms)
    acks: dict[Box, list[AckMessage]] = {}
    for stream, ranges in gathered.seqs.items():
        ack = ledger.ack(connection, stream, (first for first, _ in ranges))
        acks.setdefault(gathered.owners[stream], []).append(ack)
    return acks


def _gather_data(connection: Connection, item: Incoming, message: Envelope, gathered: _Gathered, now_ms: int) -> None:
    owner = gathered.owners.get(message.stream)
    if owner is None:
        owner = gathered.owners[message.stream] = ledger.claim(connection, message.stream, item.box, now_ms)
    if owner != item.box:
        reason = f"stream {message.stream} belongs to {owner.site}/{owner.device}"
        gathered.refused.append(Refused(item.arrived, reason))
        return
    origin = {"site": item.box.site, "device": item.box.device, "stream": message.stream, "boot": message.boot}
    if isinstance(message, RollupMessage):
        gathered.rollups.extend({**row._asdict(), **origin} for row in rows_of(message.columns))
        if message.measures is not None:
            gathered.measures.extend({**row._asdict(), **origin} for row in measure_rows_of(message.measures))
    elif isinstance(message, EventMessage):
        gathered.events.append({**origin, "channel": item.channel, **_event_values(message)})
    gathered.seqs.setdefault(message.stream, []).append((message.seq, message.last_seq))
    gathered.devices.setdefault(item.box, {}).update(_sign_of_life(item, now_ms))


def _event_values(message: EventMessage) -> dict[str, Any]:
    return {
        "seq": message.seq,
        "kind": message.kind,
        "camera": message.camera,
        "at_ms": message.at_ms,
        "data": json.dumps(message.data),
    }


def _about_device(item: Incoming, now_ms: int) -> dict[str, Any]:
    message = item.message
    match message:
        case StateMessage():
            values = {"state": message.state, "state_since_ms": message.since_ms, "boot": message.boot}
            return values | (_sign_of_life(item, now_ms) if message.state != "offline" else {})
        case BirthMessage():
            return {"birth": message.model_dump_json(), **_sign_of_life(item, now_ms)}
        case HealthMessage():
            return {"health": message.model_dump_json(), **_sign_of_life(item, now_ms)}
        case _:
            return {}


def _sign_of_life(item: Incoming, now_ms: int) -> dict[str, Any]:
    """A retained message may be old."""
    return {} if item.arrived.retain else {"last_seen_ms": now_ms}


def _write(connection: Connection, gathered: _Gathered, now_ms: int) -> None:
    for table, rows in ((rollup, gathered.rollups), (measure, gathered.measures)):
        if rows:
            _write_revisions(connection, table, rows)
    if gathered.events:
        connection.execute(insert(event).on_conflict_do_nothing(), gathered.events)
    for stream, ranges in gathered.seqs.items():
        for first, last in ranges:
            ledger.add(connection, stream, first, last)
    for box, values in gathered.devices.items():
        statement = insert(device).values(site=box.site, device=box.device, **values)
        key = [device.c.site, device.c.device]
        connection.execute(
            statement.on_conflict_do_update(index_elements=key, set_=values)
            if values
            else statement.on_conflict_do_nothing()
        )
    if gathered.refused:
        _write_quarantine(connection, gathered.refused, now_ms)


def _write_revisions(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    rest = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    newer = statement.excluded.revision > table.c.revision
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=rest, where=newer), rows)


def _write_quarantine(connection: Connection, refused: Sequence[Refused], now_ms: int) -> None:
    for item in refused:
        arrived = item.arrived
        log.warning("message_quarantined", topic=arrived.topic, reason=item.reason, size_bytes=len(arrived.payload))
        statement = insert(quarantine).values(
            digest=hashlib.sha256(arrived.topic.encode() + b"\0" + arrived.payload).hexdigest(),
            topic=arrived.topic,
            reason=item.reason,
            payload=arrived.payload[:QUARANTINE_PAYLOAD_BYTES],
            size_bytes=len(arrived.payload),
            encoding=arrived.encoding,
            times=1,
            first_ms=now_ms,
            last_ms=now_ms,
        )
        again = {"times": quarantine.c.times + 1, "last_ms": now_ms, "reason": item.reason}
        connection.execute(statement.on_conflict_do_update(index_elements=["digest"], set_=again))
    newest = select(quarantine.c.digest).order_by(quarantine.c.last_ms.desc()).limit(QUARANTINE_ROWS)
    connection.execute(delete(quarantine).where(quarantine.c.digest.not_in(newest)))
