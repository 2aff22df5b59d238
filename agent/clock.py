"""The only place that reads a clock.

Durations, timeouts and watchdogs use ``monotonic_ns`` alone; ``utc_ns`` is for what people and the cloud read, and may
step at any time. A row keeps both, and the boot that the monotonic value belongs to (promise 4 of the design).
"""

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from agent.types import Instant

NOT_BEFORE_NS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 10**9
"""This program is younger: a clock that says less was never set."""
STEP_NS = 2_000_000_000
"""A change of UTC against monotonic time beyond this counts as a clock that was set. Less is what NTP corrects."""

_TIME_ERROR = 5
_TIMEX_BYTES = 256  # more than struct timex of any platform


class Clock(Protocol):
    """Reads the time. ``SystemClock`` on the box, ``ManualClock`` where a test drives time."""

    def now(self) -> Instant:
        """Return UTC, monotonic time and boot, read together."""
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self, boot: int = 0) -> None:
        """Remember the boot counter that the store has given to this boot of the machine."""
        self._boot = boot

    def now(self) -> Instant:
        """Return UTC, monotonic time and boot, read together."""
        return Instant(utc_ns=time.time_ns(), monotonic_ns=time.monotonic_ns(), boot=self._boot)

    def utc_ms(self) -> int:
        """Return milliseconds since 1970, for messages."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is told to move; safe to share between threads."""

    def __init__(self, *, utc_ns: int = 1_700_000_000_000_000_000, monotonic_ns: int = 0, boot: int = 1) -> None:
        """Start at the given instant."""
        self._lock = threading.Lock()
        self._now = Instant(utc_ns=utc_ns, monotonic_ns=monotonic_ns, boot=boot)

    def now(self) -> Instant:
        """Return the instant last set."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass: both clocks move."""
        step_ns = round(seconds * 1e9)
        with self._lock:
            now = self._now
            self._now = Instant(now.utc_ns + step_ns, now.monotonic_ns + step_ns, now.boot)

    def step_utc(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does: only UTC moves."""
        with self._lock:
            now = self._now
            self._now = Instant(now.utc_ns + round(seconds * 1e9), now.monotonic_ns, now.boot)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which UTC and monotonic time go together: from a boot, or a setting of the clock, to the next one.

    ``boot`` numbers it, as the ``boot`` of each instant. ``offset_ns`` is UTC at monotonic zero. While ``unset``, the
    machine's clock is known to be wrong, and UTC is an estimate: not before.
    """

    boot: int
    offset_ns: int
    unset: bool = False


class BoxClock:
    """The clock of a box. It notices at once when the machine's clock is set: the next instant has another ``boot``.

    A machine's clock that cannot be right is not followed: what the stretch says goes on. Safe from any thread.
    """

    def __init__(
        self,
        stretch: Stretch,
        *,
        known_ns: int,
        raw: Clock | None = None,
        synchronised: Callable[[], bool | None] | None = None,
    ) -> None:
        """Go on in a stretch.

        Args:
            stretch: The newest one.
            known_ns: It is later than this: a clock that says less is wrong, unless the kernel vouches for it.
            raw: The machine's clock.
            synchronised: Whether the kernel vouches for it; by default the kernel's own word.
        """
        self._raw = raw or SystemClock()
        self._synchronised = synchronised or kernel_is_synchronised
        self._known_ns = known_ns
        self._lock = threading.Lock()
        self._stretch = stretch
        self._since_ns = self._raw.now().monotonic_ns

    def now(self) -> Instant:
        """Return UTC, monotonic time and boot, read together."""
        with self._lock:
            raw = self._raw.now()
            self._follow(raw)
            return Instant(raw.monotonic_ns + self._stretch.offset_ns, raw.monotonic_ns, self._stretch.boot)

    def utc_ms(self) -> int:
        """Return milliseconds since 1970, for messages."""
        return self.now().utc_ns // 1_000_000

    def stretch(self) -> Stretch:
        """Return the stretch of now."""
        self.now()
        with self._lock:
            return self._stretch

    def stands_ns(self) -> int:
        """Return how long the clock has not been set, as far as this run has seen."""
        with self._lock:
            return self._raw.now().monotonic_ns - self._since_ns

    def confirmed(self) -> bool:
        """Tell whether the kernel vouches for the time of now; if it does, no earlier one is believed after it."""
        if self.stretch().unset or self._synchronised() is not True:
            return False
        with self._lock:
            self._known_ns = max(self._known_ns, self._raw.now().monotonic_ns + self._stretch.offset_ns)
        return True

    def _follow(self, raw: Instant) -> None:
        offset_ns = raw.utc_ns - raw.monotonic_ns
        if not self._stretch.unset and abs(offset_ns - self._stretch.offset_ns) < STEP_NS:
            self._stretch = replace(self._stretch, offset_ns=offset_ns)
        elif is_believable(raw, self._known_ns, self._synchronised):
            self._stretch = Stretch(self._stretch.boot + 1, offset_ns)
            self._since_ns = raw.monotonic_ns


def is_believable(raw: Instant, known_ns: int, synchronised: Callable[[], bool | None]) -> bool:
    """Tell whether a machine's clock can be right: not earlier than what is known, or vouched for by the kernel."""
    return raw.utc_ns >= known_ns or synchronised() is True


def kernel_is_synchronised() -> bool | None:
    """Ask the kernel, which every time service tells (``man 2 adjtimex``); None where it does not answer.

    A clock that is set by hand counts as not synchronised until a service says so.
    """
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(
            ctypes.create_string_buffer(_TIMEX_BYTES)
        )  # zeros: only read
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def kernel_boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """Return what names this boot of the machine: monotonic times are comparable only within one.

    Where the kernel gives none, each start of the program counts as a boot.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid4())
