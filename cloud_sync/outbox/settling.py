"""Drops what is confirmed, one small transaction after the other."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future

from sqlalchemy import Connection, delete, select

from cloud_sync.outbox.remint import is_current
from cloud_sync.outbox.schema import outbox
from cloud_sync.outbox.write_queue import WriteQueue

AT_ONCE = 2000
"""Entries in one transaction: the writer has others to serve."""


class Settling:
    """Drops the entries of some ranges; ``outcome`` ends with their number, or with the first error."""

    def __init__(self, ranges: Iterable[tuple[int, int]], writer: WriteQueue, *, stream_id: str) -> None:
        """Take ranges of seqs of this stream, both ends included; ``go_on`` begins."""
        self.outcome: Future[int] = Future()
        self.outcome.set_running_or_notify_cancel()
        self._ranges = deque(ranges)
        self._writer = writer
        self._stream_id = stream_id
        self._settled = 0

    def go_on(self) -> None:
        """Queue the next transaction.

        Raises:
            BusyError: The writer takes no more.
        """
        self._writer.submit(self._drop_some).add_done_callback(self._dropped)

    def _drop_some(self, connection: Connection) -> int:
        if not is_current(connection, self._stream_id):
            self._ranges.clear()
        left = AT_ONCE
        while self._ranges and left:
            some = select(outbox.c.seq).where(outbox.c.seq.between(*self._ranges[0])).order_by(outbox.c.seq).limit(left)
            left -= connection.execute(delete(outbox).where(outbox.c.seq.in_(some))).rowcount
            if left:
                self._ranges.popleft()
        return AT_ONCE - left

    def _dropped(self, done: "Future[int]") -> None:
        try:
            self._settled += done.result()
            if self._ranges:
                self.go_on()
            else:
                self.outcome.set_result(self._settled)
        except Exception as error:  # noqa: BLE001  whatever it is, it is the caller's: the future carries it there
            self.outcome.set_exception(error)
