"""When upload windows are open."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from agent.config import WindowConfig
from agent.windows import upload_windows


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def opens(text: str, *windows: WindowConfig) -> str | None:
    opens_at = upload_windows(windows)
    assert opens_at is not None
    opened = opens_at(ms(text))
    return None if opened is None else f"{datetime.fromtimestamp(opened / 1000, UTC):%Y-%m-%d %H:%M}"


NIGHT = WindowConfig(cron="0 2 * * *", minutes=30)


@pytest.mark.parametrize(
    ("now", "opened"),
    [
        ("2026-05-01 01:59", "2026-05-01 02:00"),
        ("2026-05-01 02:00", "2026-05-01 02:00"),
        ("2026-05-01 02:29", "2026-05-01 02:29"),
        ("2026-05-01 02:30", "2026-05-02 02:00"),
        ("1970-01-01 00:00", "1970-01-01 02:00"),
        ("2099-12-31 23:00", "2100-01-01 02:00"),
    ],
)
def test_window_is_open_from_its_start_for_its_length(now: str, opened: str) -> None:
    """Inside a window it is open now; outside, the next start is told, wherever the clock stands."""
    assert opens(now, NIGHT) == opened


def test_several_windows_are_open_together() -> None:
    """Whichever opens first is told; one that is open counts, whatever the others do."""
    noon = WindowConfig(cron="0 12 * * mon-fri", minutes=60)
    assert opens("2026-05-01 03:00", NIGHT, noon) == "2026-05-01 12:00"  # a Friday
    assert opens("2026-05-01 12:59", NIGHT, noon) == "2026-05-01 12:59"
    assert opens("2026-05-02 03:00", NIGHT, noon) == "2026-05-03 02:00"


def test_window_is_meant_in_its_time_zone() -> None:
    """Two o'clock in Berlin is midnight UTC in summer, and one o'clock in winter."""
    berlin = WindowConfig(cron="0 2 * * *", minutes=10, timezone="Europe/Berlin")
    assert opens("2026-07-01 20:00", berlin) == "2026-07-02 00:00"
    assert opens("2026-12-01 20:00", berlin) == "2026-12-02 01:00"


def test_overlapping_starts_of_one_window_make_one() -> None:
    """A window that is longer than the time to its next start never closes."""
    assert opens("2026-05-01 11:37", WindowConfig(cron="*/10 * * * *", minutes=15)) == "2026-05-01 11:37"


def test_without_windows_there_is_nothing_to_ask() -> None:
    """No windows are not windows that never open."""
    assert upload_windows([]) is None


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"cron": "0 2 * *", "minutes": 5}, "has 4 fields"),
        ({"cron": "0 25 * * *", "minutes": 5}, "is no cron expression"),
        ({"cron": "0 2 * * 0", "minutes": 5}, "allowed: names"),
        ({"cron": "0 0 30 2 *", "minutes": 5}, "never comes"),
        ({"cron": "0 2 * * *", "minutes": 0}, "greater than or equal to 1"),
        ({"cron": "0 2 * * *", "minutes": 5, "timezone": "Mars/Olympus"}, "is no time zone"),
        ({"cron": "0 2 * * *", "minutes": 5, "timezone": "../etc/passwd"}, "is no time zone"),
    ],
)
def test_wrong_windows_are_refused(values: dict[str, object], told: str) -> None:
    """What is no window, or one that would open on another day than meant, is refused with what is allowed."""
    with pytest.raises(ValidationError, match=told):
        WindowConfig(**values)
