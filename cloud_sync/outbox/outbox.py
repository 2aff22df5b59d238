"""The verbs of a box's outbox beside ``append``: read, settle, quarantine, remint, depth.

Each entry ends in one of four ways: settled (the cloud has it), quarantined (it can never be sent), shed (given up by
rule, see ``shed``), or kept.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine, delete, func, select

from cloud_sync.outbox.depth import Depth, read_depth
from cloud_sync.outbox.entry import Entry
from cloud_sync.outbox.quarantine import set_aside
from cloud_sync.outbox.remint import remint
from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.outbox.usage import Usage, add_usage, read_usage
from cloud_sync.wire import Channel

log = structlog.get_logger()

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


class Outbox:
    """Reads through an engine of its own; writes through the one writer."""

    def __init__(self, engine: Engine, writer: WriteQueue, *, utc_ms: Callable[[], int]) -> None:
        """Open the outbox of a migrated database.

        Args:
            engine: For reading only.
            writer: Everything that changes rows goes there.
            utc_ms: The wall clock, for what is put on record.
        """
        self._engine = engine
        self._writer = writer
        self._utc_ms = utc_ms
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
        """Move one entry aside for ever, with the reason; a shed record tells the cloud that it never comes."""
        at_ms = self._utc_ms()
        return self._writer.submit(lambda connection: set_aside(connection, seq, reason, at_ms=at_ms))

    def remint(self, reason: str) -> "Future[str]":
        """Begin a new stream, in which what waits is numbered from 1; the result is its id, ``stream`` from then on.

        For an outbox whose numbers the cloud has from another history: a copied database, a restored backup. Entries
        read before have old numbers: nothing may be settled by them.
        """

        def work(connection: Connection) -> str:
            fresh = remint(connection)
            log.warning("stream_reminted", before=self.stream, now=fresh, reason=reason)
            return fresh

        future: Future[str] = Future()
        future.set_running_or_notify_cancel()
        self._writer.submit(work).add_done_callback(lambda done: self._adopt(done, future))
        return future

    def _adopt(self, done: "Future[str]", future: "Future[str]") -> None:
        """Take the new stream over after the commit, and before anybody hears of it."""
        if error := done.exception():
            future.set_exception(error)
            return
        self.stream = done.result()
        future.set_result(self.stream)

    def add_usage(self, day: int, more: Usage) -> "Future[None]":
        """Add to what the link carried on a day (counted since 1970, UTC)."""
        return self._writer.submit(lambda connection: add_usage(connection, day, more))

    def usage(self, day: int) -> Usage:
        """Return what the link carried on a day, as far as it is saved."""
        with self._engine.connect() as connection:
            return read_usage(connection, day)

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
        """Tell what waits, at once however much it is."""
        with self._engine.connect() as connection:
            return read_depth(connection)
