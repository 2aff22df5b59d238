"""Follows the box's clock: what it was is put on record, and what was written by a wrong one is corrected."""

from concurrent.futures import Future

import structlog
from sqlalchemy.exc import SQLAlchemyError

from agent.clock import BoxClock
from agent.errors import RetryableError
from agent.store import BELIEVED_NS, Looked, Store, Writer, settle
from agent.store.writer import reason_of

log = structlog.get_logger()

AGAIN_NS = 600 * 10**9
"""A clock that the kernel vouches for is noted so often: after a power cut, time is later than that."""
RETRY_NS = 10 * 10**9


class Timekeeper:
    """One thread calls ``look``, about once a second; the writer does the work, and nobody waits for it."""

    def __init__(self, clock: BoxClock, store: Store, writer: Writer, *, send: bool, window_s: int) -> None:
        """Take what it works on; nothing runs yet.

        Args:
            clock: The box's.
            store: The box's database.
            writer: Its writer.
            send: Whether the box has a cloud to tell.
            window_s: Length of a rollup window.
        """
        self._clock, self._store, self._writer = clock, store, writer
        self._send, self._window_s = send, window_s
        self._known: tuple[int, bool, bool] | None = None
        self._due_ns = 0
        self._running: Future[bool] | None = None
        self._failing = False

    def look(self) -> None:
        """Have noted and corrected what is due; quick."""
        if self._running is not None:
            if not self._running.done():
                return
            self._finish(self._running)
        stretch, now, stands_ns = self._clock.stretch(), self._clock.now(), self._clock.stands_ns()
        confirmed = self._clock.confirmed()
        known = (stretch.boot, confirmed, stands_ns >= BELIEVED_NS)
        if now.boot != stretch.boot or (known == self._known and now.monotonic_ns < self._due_ns):
            return
        self._known, self._due_ns = known, now.monotonic_ns + AGAIN_NS
        looked = Looked(stretch, now, self._store.boot_id, confirmed, stands_ns)
        try:
            self._running = self._writer.submit(
                lambda connection: settle(connection, looked, send=self._send, window_s=self._window_s)
            )
        except RetryableError as error:
            self._fail(error)

    def _finish(self, done: Future[bool]) -> None:
        self._running = None
        try:
            more = done.result()
        except (RetryableError, SQLAlchemyError) as error:
            self._fail(error)
            return
        self._failing = False
        if more:
            self._known = None

    def _fail(self, error: Exception) -> None:
        """Try again later: nothing was changed."""
        self._due_ns = self._clock.now().monotonic_ns + RETRY_NS
        if not self._failing:
            log.warning("clock_not_noted", reason=reason_of(error))
        self._failing = True
