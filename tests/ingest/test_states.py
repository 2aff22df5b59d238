"""Which word about a box's state counts."""

import pytest

from cloud_sync.ingest.states import DAY_MS, Told, is_newer

NOW = 1_700_000_000_000
ONLINE = Told("online", 5, NOW - 1000, "run-b")


@pytest.mark.parametrize(
    ("told", "live", "newer"),
    [
        (Told("offline", 5, NOW - 5000, "run-b"), True, True),  # the will of the connection that is online
        (Told("offline", 5, NOW, "run-b"), True, True),  # its goodbye
        (Told("offline", 5, NOW - 5000, "run-a"), True, False),  # the will of the run before, late
        (Told("offline", 4, NOW, "run-a"), True, False),  # and of a boot before, with a clock that was ahead
        (Told("online", 5, NOW, "run-c"), True, True),  # restarted
        (Told("online", 6, 1000, "run-c"), True, True),  # rebooted, the clock not set yet
        (Told("online", 5, NOW - 9000, "run-a"), True, False),  # a worker that lags
        (Told("online", 5, NOW - 400 * DAY_MS, "run-b"), True, True),  # the clock was set back
        (Told("online", 5, NOW - 400 * DAY_MS, "run-b"), False, False),  # the same, kept by the broker
        (Told("online", 2, NOW, "run-c"), True, True),  # an old copy of the disk
        (Told("offline", 2, NOW, "run-c"), True, False),
        (Told("asleep", 5, NOW, "run-b"), True, True),
    ],
)
def test_a_word_counts_if_it_is_newer(told: Told, *, live: bool, newer: bool) -> None:
    """After ``online`` of a run, another word takes its place or not."""
    assert is_newer(told, ONLINE, live=live, now_ms=NOW) is newer


def test_a_clock_that_was_ahead_does_not_stick() -> None:
    """A box that was a year ahead is believed when it tells the right time again."""
    ahead = Told("offline", 5, NOW + 365 * DAY_MS, "run-b")
    assert is_newer(ONLINE, ahead, live=True, now_ms=NOW)
