"""Sightings: each fruit is handed over once, whatever flickers, and no more are remembered than allowed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.analytics.farm.sightings import Sightings
from agent.types import Instant


def instant(second: float, boot: int = 1) -> Instant:
    return Instant(utc_ns=0, monotonic_ns=round(second * 1e9), boot=boot)


def test_sightings_are_bounded():
    """However many fruit there are, no more are remembered than the capacity, and none is told twice."""
    sightings, told = Sightings(capacity=50), 0
    for number in range(500):
        ids = np.arange(number * 10, number * 10 + 10)
        assert sightings.look(ids, np.zeros(10, np.int64), instant(number / 5)).all()
        for track_id in ids.tolist():
            sightings.add(track_id, 1.0)
        told += len(sightings.take())
        assert len(sightings) <= 50
    assert told == 5000 - 50


@given(
    st.lists(st.lists(st.integers(1, 6), unique=True, max_size=6), min_size=1, max_size=60),
    st.sampled_from([0.1, 1, 5]),
)
def test_no_fruit_is_told_twice_while_the_tracker_knows_it(frames: list[list[int]], interval_s: float):
    """Whatever flickers, a fruit that was never away for three seconds and four frames is told at most once."""
    sightings = Sightings(enough=3)
    told: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, ids in enumerate(frames):
        back = [each for each in ids if number - last.get(each, number) > 3]
        present = np.array([each for each in ids if each not in back], np.int64)
        last |= dict.fromkeys(present.tolist(), number)
        wanted = sightings.look(present, present, instant(number * interval_s))
        for track_id in present[wanted].tolist():
            sightings.add(track_id, 1.0)
        for seen in sightings.take():
            told[seen.class_id] = told.get(seen.class_id, 0) + 1
    assert all(count == 1 for count in told.values())


def test_class_that_changes_starts_again():
    """What was read as an apple does not count for the pear that the track turned out to be."""
    sightings = Sightings(enough=2)
    one = np.array([7], np.int64)
    for second, class_id, value in ((0, 0, 0.1), (1, 2, 0.8), (2, 2, 0.9)):
        assert sightings.look(one, one * 0 + class_id, instant(second)).all()
        sightings.add(7, value)
    assert [(seen.class_id, seen.views) for seen in sightings.take()] == [(2, (0.8, 0.9))]


def test_views_are_apart():
    """At 25 frames a second a fruit is looked at five times a second, so that its views differ."""
    sightings, one = Sightings(enough=1000), np.array([7], np.int64)
    views = 0
    for number in range(100):
        if sightings.look(one, one * 0, instant(number / 25))[0]:
            sightings.add(7, 1.0)
            views += 1
    assert views == 20


def test_time_that_runs_back_or_starts_anew_lets_nothing_leave():
    """After a new boot the monotonic clock starts again; fruit in view go on collecting."""
    sightings, one = Sightings(enough=3), np.array([7], np.int64)
    told = []
    for at in (instant(1000), instant(1001), instant(5, boot=2), instant(6, boot=2), instant(3, boot=2)):
        if sightings.look(one, one * 0, at)[0]:
            sightings.add(7, 1.0)
        told += sightings.take()
    assert [seen.views for seen in told] == [(1.0, 1.0, 1.0)]
