"""The verbs of a box's outbox beside ``append``: read, settle, quarantine, remint, depth.

Each entry ends in one of four ways: settled (the cloud has it), quarantined (it can never be sent), shed (given up by
rule, see ``shed``), or kept.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future

import structlog
from sqlalchemy import Connection, Engine, bindparam, func, select

from cloud_sync.outbox.depth import Depth, read_depth
from cloud_sync.outbox.entry import Entry
from cloud_sync.outbox.quarantine import set_aside
from cloud_sync.outbox.remint import is_current, remint
from cloud_sync.outbox.runs import note_run, read_runs
from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.outbox.settling import Settling
from cloud_sync.outbox.usage import Usage, add_usage, read_usage
from cloud_sync.outbox.write_queue import WriteQueue
from cloud_sync.wire import Channel

log = structlog.get_logger()

_AHEAD = (
    select(outbox.c.seq, outbox.c.boot, outbox.c.created_utc_ns, outbox.c.body)
    .where(outbox.c.channel == bindparam("channel"), outbox.c.seq > bindparam("after_seq"))
    .order_by(outbox.c.seq)
    .limit(bindparam("limit"))
)


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
        entries: list[Entry] = []
        with self._engine.connect() as connection:
            # Channel by channel, as the index has them: asked for several at once, SQLite sorts all that waits in them.
            for channel in channels:
                rows = connection.execute(_AHEAD, {"channel": channel, "after_seq": after_seq, "limit": limit})
                entries += [Entry(seq, channel, boot, at_ns, body) for seq, boot, at_ns, body in rows]
        if len(channels) > 1:
            entries = sorted(entries, key=lambda entry: entry.seq)[:limit]
        return entries

    def settle(self, *, through: int, ranges: Sequence[tuple[int, int]] = ()) -> "Future[int]":
        """Drop the entries up to ``through`` and in ``ranges`` (both ends included); the result is how many.

        In transactions of ``SETTLED_AT_ONCE`` entries, between which the writer serves others. Where one fails, those
        before have left all the same: settling again is no mistake. Nothing leaves where a new stream begins meanwhile.
        """
        settling = Settling([(1, through), *ranges], self._writer, stream_id=self.stream)
        settling.go_on()
        return settling.outcome

    def quarantine(self, seq: int, reason: str) -> "Future[bool]":
        """Move one entry aside for ever, with the reason; a shed record tells the cloud that it never comes.

        The result is whether it was still there.
        """
        at_ms, stream_id = self._utc_ms(), self.stream

        def move(connection: Connection) -> bool:
            return is_current(connection, stream_id) and set_aside(connection, seq, reason, at_ms=at_ms)

        return self._writer.submit(move)

    def note_run(self, run: str) -> "Future[None]":
        """Note that this run of the agent goes online; see ``runs``."""
        return self._writer.submit(lambda connection: note_run(connection, run))

    def runs(self) -> tuple[str, ...]:
        """Return the last runs that were online with this database, newest last."""
        with self._engine.connect() as connection:
            return read_runs(connection)

    def remint(self, reason: str) -> "Future[str]":
        """Begin a new stream, in which what waits is numbered from 1; the result is its id, ``stream`` from then on.

        For an outbox whose numbers the cloud has from another history: a copied database, a restored backup. Entries
        read before have old numbers: nothing may be settled by them.
        """
        future: Future[str] = Future()
        future.set_running_or_notify_cancel()
        self._writer.submit(remint).add_done_callback(lambda done: self._adopt(done, reason, future))
        return future

    def _adopt(self, done: "Future[str]", reason: str, future: "Future[str]") -> None:
        """Take the new stream over after the commit, and before anybody hears of it."""
        if error := done.exception():
            future.set_exception(error)
            return
        log.warning("stream_reminted", before=self.stream, now=done.result(), reason=reason)
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
