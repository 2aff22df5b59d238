"""Between the analysis, which never waits, and the database, which may: keeps what is not stored yet, tries again."""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, OperationalError

from agent.errors import RetryableError
from agent.store.checkpoint import Checkpoint
from agent.store.damage import is_damage
from agent.store.records import record_event, record_rollups
from agent.store.writer import Writer, reason_of
from agent.summaries import RollupWindows
from agent.types import Event, Instant, MeasureRollup, Observation, Rollup

log = structlog.get_logger()

Record = Rollup | MeasureRollup | Event


def _ignore_first() -> None:
    """Nobody wants to know."""


_NOTE_EVERY_NS = 10 * 10**9  # what a power cut may cost of the open windows
_NOTED_MOST = 5000  # parts, the newest: a megabyte or two, while the database takes none


class Recorder:
    """Collects observations into windows, and hands finished windows and events to the writer.

    What the writer refuses or fails to commit is kept and tried again at the next tick, in order; a batch is tried
    again only when its future says that it failed, so nothing is written twice. A record that can never be stored is
    logged and counted, and does not hold up the others. The memory is bounded: beyond ``capacity`` the oldest go, and
    are counted. What is not in the database yet is noted in the checkpoint every ten seconds.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        send: bool,
        window_s: int = 60,
        capacity: int = 50_000,
        checkpoint: Checkpoint | None = None,
        on_first: Callable[[], None] = _ignore_first,
    ) -> None:
        """Start with empty windows, and with what the last run noted and could not store.

        Args:
            writer: The box's writer.
            send: Whether each record is promised to the cloud.
            window_s: Length of a rollup window.
            capacity: Records kept in memory while the database does not take them.
            checkpoint: Where open windows are noted; None: nowhere.
            on_first: Called once, when the first object of this run was observed: a tick notes it.
        """
        self._lock = threading.Lock()
        self._windows = RollupWindows(window_s)
        self._writer = writer
        self._send = send
        self._checkpoint = checkpoint
        self._note_after_ns = 0
        self._on_first, self._seen = on_first, False
        self._waiting: deque[Record] = deque(checkpoint.take() if checkpoint else ())
        self._capacity = capacity
        self._in_flight: tuple[Future[None], list[Record]] | None = None
        self._failures = 0
        self._singly = 0  # how many of those that wait are to be written one by one
        self._confessed = 0  # how many of the dropped are on record
        self.dropped = 0
        self.rejected = 0

    def watch(self, camera: str, since: Instant, *, interval_s: float = 0.0) -> None:
        """Have windows written for this camera from now on, also when it shows nothing; see ``RollupWindows``."""
        with self._lock:
            self._windows.watch(camera, since, interval_s=interval_s)

    def observe(self, observation: Observation) -> None:
        """Add one analysed frame."""
        with self._lock:
            self._windows.add(observation)
            self._waiting.extend(observation.events)
            first = not self._seen and any(count.present for count in observation.counts)
            if first:
                self._seen, self._note_after_ns = True, 0  # whoever tries a box out cuts its power early
        if first:
            self._on_first()

    def event(self, event: Event) -> None:
        """Add one event; it is stored at the next tick."""
        with self._lock:
            self._waiting.append(event)

    def unfinished(self) -> list[Rollup]:
        """Return what is not stored yet, windows still open among it, so that the page need not wait for a minute."""
        with self._lock:
            return [part for part in self._unstored() if isinstance(part, Rollup)]

    def tick(self, now: Instant) -> None:
        """Move finished windows and events on to the writer; call about once a second."""
        with self._lock:
            self._waiting.extend(self._windows.close(now))
            self._collect(wait_s=0)
        self._note_open(now)
        with self._lock:
            self._confess(now)
            self._hand_over(now)

    def _note_open(self, now: Instant) -> None:
        """Note what a power cut would cost now, if it is time, and nothing is on its way to the database meanwhile."""
        if self._checkpoint is None or 0 < self._note_after_ns - now.monotonic_ns <= _NOTE_EVERY_NS:
            return
        with self._lock:
            if self._in_flight is not None:
                return
            parts = self._unstored()
            self._note_after_ns = now.monotonic_ns + _NOTE_EVERY_NS
        try:
            self._checkpoint.write(parts[-_NOTED_MOST:])
        except DatabaseError:
            self._note_after_ns = now.monotonic_ns  # the writer meets the same, and says so

    def _unstored(self) -> list[Rollup | MeasureRollup]:
        """Return the parts of windows that the database does not have yet."""
        waiting = list(self._waiting)
        if self._in_flight is not None and not _is_stored(self._in_flight[0]):
            waiting += self._in_flight[1]
        return [record for record in waiting if not isinstance(record, Event)] + self._windows.peek()

    def finish(self, now: Instant, *, timeout_s: float = 3.0) -> None:
        """Store everything, unfinished windows too; for the end of the program. Logs what could not be stored."""
        with self._lock:
            self._waiting.extend(self._windows.flush(now))
            self._collect(wait_s=timeout_s)
            deadline = time.monotonic() + timeout_s
            while (self._waiting or self._in_flight) and time.monotonic() < deadline:
                self._hand_over(now)
                self._collect(wait_s=0.2)
            lost = len(self._waiting) + (len(self._in_flight[1]) if self._in_flight else 0)
        if lost:
            log.error("records_not_stored", records=lost)

    def _collect(self, *, wait_s: float) -> None:
        if self._in_flight is None:
            return
        future, records = self._in_flight
        try:
            error = future.exception(timeout=wait_s)
        except FutureTimeoutError:
            return  # still in the queue: neither stored nor failed
        self._in_flight = None
        if error is None:
            self._note_success()
            return
        if isinstance(error, OperationalError | RetryableError) or is_damage(error):
            self._waiting.extendleft(reversed(records))
            self._note_failure(reason_of(error))
        elif len(records) > 1:
            self._waiting.extendleft(reversed(records))
            self._singly = len(records)  # one of them is bad: find out which, so that the others get through
        else:
            self.rejected += 1
            log.error("record_rejected", record=repr(records[0])[:500], reason=reason_of(error))

    def _hand_over(self, now: Instant) -> None:
        self._bound()
        if self._in_flight is not None or not self._waiting:
            return
        take = 1 if self._singly else len(self._waiting)
        records = [self._waiting[index] for index in range(take)]
        try:
            future = self._writer.submit(lambda connection: self._write(connection, records, now))
        except RetryableError as error:
            self._note_failure(reason_of(error))
            return
        self._in_flight = (future, records)
        self._singly = max(0, self._singly - 1)
        for _ in records:
            self._waiting.popleft()

    def _write(self, connection: Connection, records: list[Record], now: Instant) -> None:
        for record in records:
            if isinstance(record, Event):
                record_event(connection, record, send=self._send)
        record_rollups(
            connection, [record for record in records if not isinstance(record, Event)], now=now, send=self._send
        )

    def _bound(self) -> None:
        while len(self._waiting) > self._capacity:
            self._waiting.popleft()
            self.dropped += 1

    def _confess(self, now: Instant) -> None:
        """Put what was dropped on record, once the database takes records again."""
        if self.dropped > self._confessed and not self._failures:
            data = {"records": self.dropped - self._confessed}
            self._waiting.append(Event("records-dropped", None, now, data))
            self._confessed = self.dropped

    def _note_failure(self, reason: str) -> None:
        self._failures += 1
        if self._failures == 1:
            log.warning("records_wait", reason=reason, records=len(self._waiting))

    def _note_success(self) -> None:
        if self._failures:
            log.info("records_stored_again", failures=self._failures, dropped=self.dropped)
        self._failures = 0


def _is_stored(future: Future[None]) -> bool:
    return future.done() and future.exception() is None
