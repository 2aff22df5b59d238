"""The only place that reads a clock.

Durations, timeouts and watchdogs use ``monotonic_ns`` alone; ``utc_ns`` is for what people and the cloud read, and may
step at any time. A row keeps both, and the boot that the monotonic value belongs to (promise 4 of the design).
"""

import threading
import time
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from agent.types import Instant


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


def kernel_boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """Return what names this boot of the machine: monotonic times are comparable only within one.

    Where the kernel gives none, each start of the program counts as a boot.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid4())
