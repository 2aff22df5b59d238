"""When the box may be online, and what may go then: upload windows, the budget of the day, and alarms that wake it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cloud_sync.outbox import Outbox
from cloud_sync.uplink.budget import Budget
from cloud_sync.wire import Channel

WAKE_S = 60.0
"""A box that was woken by an alarm stays so long for it to be confirmed."""
WAKE_AGAIN_S = 600.0
"""An alarm that was not confirmed wakes it again after this; a new one does at once."""
ONLY_ALARMS = (Channel.ALARM,)

OpensAt = Callable[[int], int | None]
"""From a moment (UTC ms), when a window is open next: that very moment if one is open then, None if none ever is."""


@dataclass(frozen=True, slots=True)
class Permit:
    """What may go now."""

    channels: tuple[Channel, ...]  # data channels, and health; none: the box sleeps
    next_contact_ms: int | None = None  # of a box that sleeps
    detail: str = ""  # one line for a person, if something waits for another reason than the link

    @property
    def asleep(self) -> bool:
        """Tell whether there is nothing to be online for."""
        return not self.channels


class Contact:
    """Looks at the clock each time anew, so one that leaps cannot keep the box asleep longer than it says itself."""

    def __init__(
        self,
        outbox: Outbox,
        budget: Budget,
        *,
        utc_ms: Callable[[], int],
        opens_at: OpensAt | None = None,
        alarms_wake: bool = True,
    ) -> None:
        """Prepare.

        Args:
            outbox: Where alarms wait.
            budget: Of the day.
            utc_ms: The wall clock: windows and days are of the wall.
            opens_at: The windows; None: always open.
            alarms_wake: Whether an alarm may go outside the windows. Beyond the budget it always may.
        """
        self._outbox = outbox
        self._budget = budget
        self._utc_ms = utc_ms
        self._opens_at = opens_at
        self._alarms_wake = alarms_wake
        self._woken_s: float | None = None
        self._tried_through = 0
        self._try_again_s = 0.0

    def permit(self, now_s: float, *, online: bool) -> Permit:
        """Return what may go now; quick.

        Args:
            now_s: Monotonic.
            online: Whether the box is in touch with the broker.
        """
        now_ms = self._utc_ms()
        opens_ms = self._next_open(now_ms)
        if opens_ms == now_ms:
            channels = self._budget.channels()
            if Channel.EVENT in channels:
                self._woken_s = None
                return Permit(channels, detail=self._what_waits(channels))
            next_ms = self._next_open(self._budget.next_day_ms())
            return self._only_alarms(now_s, next_ms, self._spent(), online=online, may=True)
        return self._only_alarms(now_s, opens_ms, "", online=online, may=self._alarms_wake)

    def _next_open(self, from_ms: int) -> int | None:
        return from_ms if self._opens_at is None else self._opens_at(from_ms)

    def _only_alarms(self, now_s: float, next_ms: int | None, detail: str, *, online: bool, may: bool) -> Permit:
        if may and self._alarm_calls(now_s, online=online):
            return Permit(ONLY_ALARMS, next_ms, detail)
        self._woken_s = None
        return Permit((), next_ms, detail)

    def _alarm_calls(self, now_s: float, *, online: bool) -> bool:
        if self._tried_through and now_s >= self._try_again_s:
            self._tried_through = 0
        if not self._outbox.read(ONLY_ALARMS, after_seq=self._tried_through, limit=1):
            return False
        if online and self._woken_s is None:
            self._woken_s = now_s
        if self._woken_s is None or now_s - self._woken_s < WAKE_S:
            return True
        self._tried_through = self._outbox.last_seq()
        self._try_again_s = now_s + WAKE_AGAIN_S
        return False

    def _spent(self) -> str:
        until = datetime.fromtimestamp(self._budget.next_day_ms() / 1000, UTC)
        megabytes = self._budget.today.total_bytes / 1e6
        return f"the bytes of today are spent ({megabytes:.1f} MB): only alarms go until {until:%Y-%m-%d %H:%M} UTC"

    def _what_waits(self, channels: tuple[Channel, ...]) -> str:
        waits = [channel for channel in (Channel.EVIDENCE, Channel.ROLLUP) if channel not in channels]
        if not waits:
            return ""
        return f"most of today's bytes are spent: {' and '.join(waits)} wait until tomorrow (UTC)"
