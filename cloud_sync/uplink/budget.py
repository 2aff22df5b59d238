"""How many bytes of the day are spent, and who may still spend some."""

from collections.abc import Callable
from concurrent.futures import Future

import structlog

from cloud_sync.mqtt import Traffic
from cloud_sync.outbox import DAY_MS, BusyError, Outbox, Usage
from cloud_sync.wire import DATA_CHANNELS, Channel

log = structlog.get_logger()

EVERYTHING = (*DATA_CHANNELS, Channel.HEALTH)
CEILINGS = {
    Channel.EVIDENCE: 0.6,
    Channel.HEALTH: 0.7,
    Channel.ROLLUP: 0.8,
    Channel.SHED: 0.9,
    Channel.CLOCK: 0.9,
    Channel.EVENT: 0.9,
}
"""Up to which part of the day's bytes a channel may go. What is left above belongs to the more urgent ones; alarms, and
the state, have none: a budget that silenced an alarm would cost more than it saves."""
SAVE_EVERY_S = 10.0
"""A process that is killed forgets at most so much of what it spent."""


class Budget:
    """Counts what the connections carry, by UTC day, and keeps it in the box's database."""

    def __init__(self, outbox: Outbox, *, daily_bytes: int, utc_ms: Callable[[], int]) -> None:
        """Continue the day.

        Args:
            outbox: Keeps the days.
            daily_bytes: Sent and received together; 0 is no limit.
            utc_ms: The wall clock: days are a matter of people and bills. One that leaps continues the day it leaps to.
        """
        self.daily_bytes = daily_bytes
        self._outbox = outbox
        self._utc_ms = utc_ms
        self._before = Traffic()
        self._data_bytes = 0
        self._unsaved: dict[int, Usage] = {}  # by day; mostly one
        self._saving: tuple[int, Usage, Future[None]] | None = None
        self._save_at_s = 0.0
        self._failures = 0
        self._day = utc_ms() // DAY_MS
        self._today = outbox.usage(self._day)

    @property
    def today(self) -> Usage:
        """Return what this day has cost so far."""
        return self._today

    def new_connection(self) -> None:
        """The next traffic counts from zero."""
        self._before = Traffic()

    def sent_data(self, size_bytes: int) -> None:
        """A packet with entries of the outbox was handed over."""
        self._data_bytes += size_bytes

    def note(self, traffic: Traffic) -> None:
        """Count what the connection has carried so far."""
        more = Usage(
            traffic.sent_bytes - self._before.sent_bytes,
            traffic.received_bytes - self._before.received_bytes,
            self._data_bytes,
        )
        self._before, self._data_bytes = traffic, 0
        self._turn_page()
        if more.total_bytes or more.data_bytes:
            self._today += more
            self._unsaved[self._day] = self._unsaved.get(self._day, Usage()) + more

    def step(self, now_s: float, *, flush: bool = False) -> None:
        """Save now and then; quick. ``flush``: save now."""
        if self._saving is not None:
            day, more, saving = self._saving
            if not saving.done():
                return
            self._saving = None
            self._note_save(day, more, saving.exception())
        if self._unsaved and (flush or now_s >= self._save_at_s):
            self._save_at_s = now_s + SAVE_EVERY_S
            day, more = self._unsaved.popitem()
            try:
                self._saving = day, more, self._outbox.add_usage(day, more)
            except BusyError as error:
                self._note_save(day, more, error)

    def channels(self, ahead_bytes: int = 0) -> tuple[Channel, ...]:
        """Return who may still spend: some or all of the data channels, and health.

        Args:
            ahead_bytes: Handed over and perhaps not on the wire yet.
        """
        if not self.daily_bytes:
            return EVERYTHING
        self._turn_page()
        spent = (self._today.total_bytes + ahead_bytes) / self.daily_bytes
        return tuple(channel for channel in EVERYTHING if spent < CEILINGS.get(channel, float("inf")))

    def next_day_ms(self) -> int:
        """Return when the next day begins."""
        return (self._utc_ms() // DAY_MS + 1) * DAY_MS

    def _turn_page(self) -> None:
        day = self._utc_ms() // DAY_MS
        if day != self._day:
            self._day = day
            self._today = self._outbox.usage(day) + self._unsaved.get(day, Usage())

    def _note_save(self, day: int, more: Usage, error: BaseException | None) -> None:
        if error is None:
            self._failures = 0
            return
        self._unsaved[day] = self._unsaved.get(day, Usage()) + more
        self._failures += 1
        if self._failures == 1:
            log.warning("link_usage_not_saved", error=str(error))
