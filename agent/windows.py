"""Upload windows: when a box may be online, by cron expressions. APScheduler knows time zones and their leaps."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger

from agent.config import WindowConfig


def upload_windows(windows: Sequence[WindowConfig]) -> Callable[[int], int | None] | None:
    """Return when a window is open next, from a moment on.

    Args:
        windows: Those of the configuration, which has checked them.

    Returns:
        A function of a moment (UTC ms): the same moment while a window is open, else when the next one opens, None if
        none does any more. None where there are no windows: always open.
    """
    if not windows:
        return None
    triggers = [
        (CronTrigger.from_crontab(window.cron, timezone=window.timezone), timedelta(minutes=window.minutes))
        for window in windows
    ]

    def opens_at(from_ms: int) -> int | None:
        now = datetime.fromtimestamp(from_ms / 1000, UTC)
        starts = [trigger.get_next_fire_time(None, now - length + _TICK) for trigger, length in triggers]
        known = [start for start in starts if start is not None]
        if not known:
            return None
        return max(from_ms, int(min(known).timestamp() * 1000))

    return opens_at


_TICK = timedelta(milliseconds=1)
"""A window that ends now is over."""
