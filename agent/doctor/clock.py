"""The machine's clock: set, and kept by somebody."""

import ctypes
from datetime import UTC, datetime

from agent.clock import Clock
from agent.doctor.finding import Finding, Level

_NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)  # this program is younger
_TIME_ERROR = 5
_TIMEX_BYTES = 256  # more than struct timex of any platform


def look_at_clock(clock: Clock) -> list[Finding]:
    """Check that the date can be true, and that the kernel believes that it is synchronised."""
    now = datetime.fromtimestamp(clock.now().utc_ns / 1e9, UTC)
    shown = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now < _NOT_BEFORE:
        return [
            Finding(
                "clock",
                Level.FAIL,
                f"{shown}: it was never set, as on a board without a clock of its own",
                "let it reach a time server (timedatectl set-ntp true), or add an RTC; until then certificates fail",
            )
        ]
    synchronised = _kernel_is_synchronised()
    if synchronised is None:
        return [
            Finding("clock", Level.WARN, f"{shown}; whether it is kept right, the kernel does not say", "compare it")
        ]
    if not synchronised:
        text = f"{shown}, but nobody keeps it right"
        return [
            Finding(
                "clock", Level.WARN, text, "run a time service: timedatectl set-ntp true, chrony, or gpsd with chrony"
            )
        ]
    return [Finding("clock", Level.OK, f"{shown}, synchronised")]


def _kernel_is_synchronised() -> bool | None:
    """Ask the kernel, which every time service tells (``man 2 adjtimex``); None where it does not answer."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(
            ctypes.create_string_buffer(_TIMEX_BYTES)
        )  # zeros: only read
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
