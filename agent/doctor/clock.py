"""The machine's clock: set, and kept by somebody."""

from datetime import UTC, datetime

from agent.clock import NOT_BEFORE_NS, Clock, kernel_is_synchronised
from agent.doctor.finding import Finding, Level


def look_at_clock(clock: Clock) -> list[Finding]:
    """Check that the date can be true, and that the kernel believes that it is synchronised."""
    now = datetime.fromtimestamp(clock.now().utc_ns / 1e9, UTC)
    shown = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if clock.now().utc_ns < NOT_BEFORE_NS:
        return [
            Finding(
                "clock",
                Level.FAIL,
                f"{shown}: it was never set, as on a board without a clock of its own",
                "let it reach a time server (timedatectl set-ntp true), or add an RTC; until then certificates fail. "
                "What was counted before is put right when it is set",
            )
        ]
    synchronised = kernel_is_synchronised()
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
