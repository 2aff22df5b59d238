"""Takes confirmed entries out of the outbox, through the one writer, without ever waiting for it."""

from collections.abc import Callable
from concurrent.futures import Future
from math import inf
from typing import Any

import structlog

from cloud_sync.outbox import BusyError, Outbox
from cloud_sync.ranges import add, merge

log = structlog.get_logger()

RETRY_S = 1.0
REST_S = 0.1
"""Between two writes: what is confirmed meanwhile goes into one, which is kinder to the disk and to who else writes."""
RANGES_AT_ONCE = 500
"""Ranges in one transaction: the writer has others to serve."""
QUARANTINE_AT_ONCE = 100
"""Entries that wait to be moved aside."""


class Settler:
    """One write at a time; what comes meanwhile is collected. What fails stays due: the rows are still there."""

    def __init__(self, outbox: Outbox, *, on_done: Callable[[], None]) -> None:
        """Start with nothing due.

        Args:
            outbox: Whose entries leave.
            on_done: Called from the writer's thread when a write has ended: ``step`` has something to do.
        """
        self._outbox = outbox
        self._on_done = on_done
        self._through = 0
        self._ranges: list[tuple[int, int]] = []
        self._aside: dict[int, str] = {}
        self._running: Future[Any] | None = None
        self._settling: tuple[int, list[tuple[int, int]]] = (0, [])
        self._quarantining: int | None = None
        self._retry_at_s = self._rested_at_s = 0.0
        self._failures = 0
        self.settled_through = outbox.settled_through()
        self.quarantined = 0

    def confirm(self, through: int, ranges: list[tuple[int, int]]) -> None:
        """Let the entries up to ``through`` and in ``ranges`` leave the outbox."""
        if through > max(self._through, self.settled_through) or ranges:
            self._through = max(self._through, through)
            for first, last in ranges:
                add(self._ranges, first, last)

    def takes_more(self) -> bool:
        """Tell whether more entries may be moved aside now: thousands are not kept in memory."""
        return len(self._aside) < QUARANTINE_AT_ONCE

    def quarantine(self, seq: int, reason: str) -> None:
        """Let one entry be moved aside."""
        self._aside[seq] = reason

    @property
    def idle(self) -> bool:
        """Tell whether no write is under way. A settle may take several transactions, others between them."""
        return self._running is None or self._running.done()

    def forget(self) -> None:
        """Forget what is due: the entries have, or will have, other numbers; what is settled is counted anew."""
        self._through, self._ranges, self._settling = 0, [], (0, [])
        self._aside.clear()
        self.settled_through = self._outbox.settled_through()

    def step(self, now_s: float, *, hurry: bool = False) -> None:
        """Look how the last write ended, and start the next; quick. ``hurry``: without the rest between two writes."""
        if self._running is not None:
            if not self._running.done():
                return
            self._finish(self._running, now_s)
        if now_s < self._retry_at_s or (now_s < self._rested_at_s and not (hurry or self._aside)):
            return
        try:
            self._start()
            if self._running is not None:
                self._rested_at_s = now_s + REST_S
        except BusyError as error:
            self._fail(error, now_s)

    def wait_s(self, now_s: float) -> float:
        """Return how long ``step`` has nothing to do; endless where nothing is due, or the end of a write tells."""
        if self._running is not None or not (self._aside or self._through or self._ranges):
            return inf
        return max(0.0, self._retry_at_s - now_s, 0.0 if self._aside else self._rested_at_s - now_s)

    def _start(self) -> None:
        if self._aside:
            seq, reason = next(iter(self._aside.items()))
            self._run(self._outbox.quarantine(seq, reason))
            self._quarantining = seq
        elif self._through or self._ranges:
            now, later = self._ranges[:RANGES_AT_ONCE], self._ranges[RANGES_AT_ONCE:]
            self._run(self._outbox.settle(through=self._through, ranges=now))
            self._settling = (self._through, now)
            self._through, self._ranges = 0, later

    def _run(self, write: Future[Any]) -> None:
        self._running = write
        write.add_done_callback(lambda _: self._on_done())

    def _finish(self, done: Future[Any], now_s: float) -> None:
        self._running = None
        error = done.exception()
        (through, ranges), seq = self._settling, self._quarantining
        self._settling, self._quarantining = (0, []), None
        if error is not None:
            self._through = max(self._through, through)
            self._ranges = merge([*self._ranges, *ranges])
            self._fail(error, now_s)
            return
        if self._failures:
            log.info("outbox_settles_again", failures=self._failures)
            self._failures = 0
        if seq is not None:
            reason = self._aside.pop(seq, "")
            if done.result():  # refused twice, it is gone by now
                log.warning("entry_quarantined", seq=seq, reason=reason)
                self.quarantined += 1
        self.settled_through = self._outbox.settled_through()

    def _fail(self, error: BaseException, now_s: float) -> None:
        if self._failures == 0:
            log.warning("outbox_settle_failed", error=str(error))
        self._failures += 1
        self._retry_at_s = now_s + RETRY_S
