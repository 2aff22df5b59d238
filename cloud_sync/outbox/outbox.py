"""A handful of verbs: append (in the transaction of the data), read, settle, quarantine, depth.

Each entry ends in one of three ways: settled (the cloud has it), quarantined (it can never be sent), or kept.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from cloud_sync.outbox.schema import outbox, quarantine, stream
from cloud_sync.wire import Channel, MeasureRow, RollupRow

T = TypeVar("T")


class BusyError(Exception):
    """The writer takes no more work now; the same call may succeed later."""


class WriteQueue(Protocol):
    """The one writer of the box's database."""

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Run ``work`` in a write transaction soon; the future ends after the commit, or with the error.

        Raises:
            BusyError: The queue is full or closed; nothing was queued.
        """
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One outbox row. ``body`` is the JSON of the message without its envelope."""

    seq: int
    channel: Channel
    boot: int
    created_utc_ns: int
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return the fields of an event message."""
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    def rows(self) -> list[RollupRow]:
        """Return the rollups of a rollup entry."""
        return [RollupRow(*row) for row in json.loads(self.body)["rollups"]]

    def measures(self) -> list[MeasureRow]:
        """Return the measures of a rollup entry."""
        return [MeasureRow(*row) for row in json.loads(self.body)["measures"]]


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits. ``oldest_utc_ns`` is None when nothing does."""

    entries: int
    size_bytes: int
    oldest_utc_ns: int | None
    quarantined: int


def append(connection: Connection, channel: Channel, body: bytes, *, boot: int, created_utc_ns: int) -> int:
    """Add one entry in the caller's write transaction; return its seq, gapless because both commit or neither."""
    seq = connection.execute(
        update(stream).values(next_seq=stream.c.next_seq + 1).returning(stream.c.next_seq - 1)
    ).scalar_one()
    connection.execute(
        insert(outbox).values(seq=seq, channel=channel, boot=boot, created_utc_ns=created_utc_ns, body=body)
    )
    return int(seq)


def append_rollups(
    connection: Connection,
    rows: Iterable[RollupRow],
    measures: Iterable[MeasureRow] = (),
    *,
    boot: int,
    created_utc_ns: int,
) -> int:
    """Add one entry with rollup rows and the measures beside them; return its seq."""
    body = json.dumps({"rollups": [*rows], "measures": [*measures]}, separators=(",", ":")).encode()
    return append(connection, Channel.ROLLUP, body, boot=boot, created_utc_ns=created_utc_ns)


def append_event(
    connection: Connection,
    fields: dict[str, Any],
    *,
    boot: int,
    created_utc_ns: int,
    channel: Channel = Channel.EVENT,
) -> int:
    """Add one entry with the fields of an ``EventMessage`` (kind, camera, at_ms, data); return its seq."""
    body = json.dumps(fields, separators=(",", ":")).encode()
    return append(connection, channel, body, boot=boot, created_utc_ns=created_utc_ns)


class Outbox:
    """Reads through an engine of its own; writes through the one writer."""

    def __init__(self, engine: Engine, writer: WriteQueue) -> None:
        """Open the outbox of a migrated database.

        Args:
            engine: For reading only.
            writer: Everything that changes rows goes there.
        """
        self._engine = engine
        self._writer = writer
        with engine.connect() as connection:
            self.stream: str = connection.execute(select(stream.c.id)).scalar_one()

    def read(self, channels: Sequence[Channel], *, after_seq: int, limit: int) -> list[Entry]:
        """Return up to ``limit`` entries of these channels beyond ``after_seq``, oldest first."""
        query = (
            select(outbox)
            .where(outbox.c.channel.in_(channels), outbox.c.seq > after_seq)
            .order_by(outbox.c.seq)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [Entry(row.seq, Channel(row.channel), row.boot, row.created_utc_ns, row.body) for row in rows]

    def settle(self, *, through: int, ranges: Sequence[tuple[int, int]] = ()) -> "Future[int]":
        """Drop the entries up to ``through`` and in ``ranges`` (both ends included); the result is how many."""

        def work(connection: Connection) -> int:
            settled = connection.execute(delete(outbox).where(outbox.c.seq <= through)).rowcount
            for first, last in ranges:
                settled += connection.execute(delete(outbox).where(outbox.c.seq.between(first, last))).rowcount
            return settled

        return self._writer.submit(work)

    def quarantine(self, seq: int, reason: str) -> "Future[None]":
        """Move one entry aside for ever, with the reason."""

        def work(connection: Connection) -> None:
            moved = select(outbox).where(outbox.c.seq == seq)
            row = connection.execute(moved).mappings().one_or_none()
            if row is None:
                return
            connection.execute(insert(quarantine).values(**row, reason=reason))
            connection.execute(delete(outbox).where(outbox.c.seq == seq))

        return self._writer.submit(work)

    def last_seq(self) -> int:
        """Return the newest seq that was ever given; 0 before the first."""
        with self._engine.connect() as connection:
            return int(connection.execute(select(stream.c.next_seq)).scalar_one()) - 1

    def settled_through(self) -> int:
        """Return the seq up to which every entry has left the outbox."""
        with self._engine.connect() as connection:
            oldest = connection.execute(select(func.min(outbox.c.seq))).scalar_one()
            return int(oldest or connection.execute(select(stream.c.next_seq)).scalar_one()) - 1

    def depth(self) -> Depth:
        """Count what waits."""
        with self._engine.connect() as connection:
            return read_depth(connection)


def read_depth(connection: Connection) -> Depth:
    """Count what waits in the outbox of this database."""
    size_bytes = func.coalesce(func.sum(func.length(outbox.c.body)), 0)
    waiting = select(func.count(), size_bytes, func.min(outbox.c.created_utc_ns)).select_from(outbox)
    entries, size, oldest = connection.execute(waiting).one()
    aside = connection.execute(select(func.count()).select_from(quarantine)).scalar_one()
    return Depth(entries, size, oldest, aside)
