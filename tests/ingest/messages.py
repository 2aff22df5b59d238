"""Messages as the broker hands them to ingest, and what a database holds of them."""

from typing import Any

from sqlalchemy import Engine, Table, select

from cloud_sync.ingest.committing import commit
from cloud_sync.ingest.inbox import read
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import (
    AckMessage,
    Box,
    Channel,
    EventMessage,
    Message,
    RollupMessage,
    RollupRow,
    columns_of,
    encode,
)
from tests.faults.ends import BOX

STREAM = "0123456789abcdef" * 2
NOW_MS = 1_700_000_000_000


def arrived(channel: Channel, message: Message, *, box: Box = BOX, retain: bool = False) -> Arrived:
    encoded = encode(message)
    return Arrived(1, 1, box.topic(channel), encoded.payload, retain, encoded.encoding)


def rollups(seq: int, *rows: RollupRow, count: int = 1, box: Box = BOX, stream: str = STREAM) -> Arrived:
    message = RollupMessage(stream=stream, seq=seq, count=count, boot=1, columns=columns_of(rows))
    return arrived(Channel.ROLLUP, message, box=box)


def event(seq: int, kind: str = "k", *, box: Box = BOX, stream: str = STREAM) -> Arrived:
    return arrived(Channel.EVENT, EventMessage(stream=stream, seq=seq, boot=1, kind=kind, at_ms=1), box=box)


def put(database: Engine, *batch: Arrived, now_ms: int = NOW_MS) -> dict[Box, list[AckMessage]]:
    return commit(database, [read(message) for message in batch], now_ms=now_ms)


def rows(database: Engine, table: Table) -> list[Any]:
    with database.connect() as connection:
        return list(connection.execute(select(table)).all())
