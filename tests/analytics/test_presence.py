"""Observations: counts by class, and the time that was really watched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analytics import Presence
from agent.types import ANY, ClassCount, Instant, Tracks

NAMES = ("apple", "cherry", "pear")


def at(seconds: float, boot: int = 1) -> Instant:
    return Instant(utc_ns=1_700_000_000_000_000_000, monotonic_ns=round(seconds * 1e9), boot=boot)


def tracks(*rows: tuple[int, int, float, bool]) -> Tracks:
    """Rows of id, class, score, fresh."""
    n = len(rows)
    return Tracks(
        track_ids=np.array([row[0] for row in rows], np.int64),
        boxes=np.zeros((n, 4), np.float32),
        scores=np.array([row[2] for row in rows], np.float32),
        class_ids=np.array([row[1] for row in rows], np.int64),
        fresh=np.array([row[3] for row in rows], np.bool_),
    )


def test_counts_by_class_and_together():
    """A frame gives the row of everything, and one of each class in it, with fresh ones, present ones and scores."""
    seen = tracks((1, 2, 0.5, True), (2, 0, 0.75, False), (3, 2, 0.25, False))
    assert Presence("row-1", NAMES).observe(seen, at(1)).counts == (
        ClassCount(ANY, ANY, unique=1, present=3, score_sum=1.5),
        ClassCount(ANY, "apple", unique=0, present=1, score_sum=0.75),
        ClassCount(ANY, "pear", unique=1, present=2, score_sum=0.75),
    )


def test_empty_frame_says_that_nothing_was_there():
    """A frame without tracks still gives the row of everything, and names its camera and time."""
    observation = Presence("row-1", NAMES).observe(tracks(), at(1))
    assert observation.counts == (ClassCount(ANY, ANY, 0, 0, 0.0),)
    assert (observation.camera, observation.at) == ("row-1", at(1))


@pytest.mark.parametrize(
    ("times", "expected_s"),
    [
        ([at(5)], [0]),
        ([at(5), at(5.2), at(5.5)], [0, 0.2, 0.3]),
        ([at(5), at(7), at(9)], [0, 2, 2]),  # exactly the longest gap
        ([at(5), at(7.001), at(7.2)], [0, 0, 0.199]),  # nobody watched in between
        ([at(5), at(5.2, boot=2), at(5.4, boot=2)], [0, 0, 0.2]),  # monotonic times of two boots do not compare
        ([at(5), at(4.9), at(5.0)], [0, 0, 0.1]),
        ([at(5), at(5), at(5.1)], [0, 0, 0.1]),
    ],
)
def test_time_that_a_frame_stands_for(times, expected_s):
    """A frame stands for the monotonic time since the one before, and for none after a gap, a boot or a step back."""
    presence = Presence("row-1", NAMES, max_gap_s=2.0)
    observed = [presence.observe(tracks(), time).observed_ns for time in times]
    assert observed == [round(seconds * 1e9) for seconds in expected_s]


def test_wall_clock_does_not_matter():
    """A wall clock that jumps between two frames changes nothing in the time watched."""
    presence = Presence("row-1", NAMES)
    presence.observe(tracks(), Instant(utc_ns=10**18, monotonic_ns=0, boot=1))
    assert presence.observe(tracks(), Instant(utc_ns=2, monotonic_ns=10**8, boot=1)).observed_ns == 10**8


def test_class_without_a_name_is_refused():
    """A track of a class that the model does not name raises, and its frame is not counted as watched."""
    presence = Presence("row-1", NAMES)
    presence.observe(tracks(), at(1))
    with pytest.raises(ValueError, match=r"\[3\].*0 to 2"):
        presence.observe(tracks((1, 3, 0.5, True)), at(1.2))
    assert presence.observe(tracks(), at(1.4)).observed_ns == 400_000_000


@pytest.mark.parametrize("gap_s", [0, -1, float("nan")])
def test_impossible_gap_is_refused(gap_s):
    """A gap must be longer than nothing."""
    with pytest.raises(ValueError, match="max_gap_s"):
        Presence("row-1", NAMES, max_gap_s=gap_s)


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1, width=32), st.booleans()), max_size=12))
def test_classes_add_up_to_everything(rows):
    """The rows of the classes add up to the row of everything."""
    everything, *by_class = (
        Presence("a", NAMES).observe(tracks(*((n, *row) for n, row in enumerate(rows, 1))), at(0)).counts
    )
    assert sum(row.unique for row in by_class) == everything.unique
    assert sum(row.present for row in by_class) == everything.present == len(rows)
    assert sum(row.score_sum for row in by_class) == pytest.approx(everything.score_sum)
