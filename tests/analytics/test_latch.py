"""Sides without flicker."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analytics.latch import Latch, clear_sides


def test_clear_of_the_band():
    """Only what is further away than its band is on a side."""
    assert clear_sides(np.array([5.0, -5, 2, -2, np.inf]), np.array([3.0, 3, 2, 3, 3])).tolist() == [1, -1, 0, 0, 1]


@pytest.mark.parametrize(
    ("sightings", "side"),
    [
        ([(0, 0.0)], 0),
        ([(1, 0.0)], 1),  # the first clear one decides
        ([(0, 0.0), (-1, 0.2)], -1),
        ([(1, 0.0), (-1, 0.2)], 1),  # once may be a slip
        ([(1, 0.0), (-1, 0.2), (-1, 0.4)], -1),
        ([(1, 0.0), (-1, 0.03), (-1, 0.06), (-1, 0.1)], 1),  # three times, but within a tenth of a second
        ([(1, 0.0), (-1, 0.03), (-1, 0.06), (-1, 0.13)], -1),
        ([(1, 0.0), (-1, 0.2), (0, 0.4), (-1, 0.6)], 1),  # not in a row
        ([(1, 0.0), (-1, 0.2), (1, 0.4), (-1, 0.6)], 1),
        ([(1, 0.0), (-1, 60.0), (-1, 120.0)], -1),  # one frame a minute
    ],
)
def test_side_after_sightings(sightings, side):
    """The side changes when the object was clearly on the other one, twice at least and for a tenth of a second."""
    latch = Latch()
    for clear, now_s in sightings:
        latch.see(clear, now_s)
    assert latch.side == side


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=60))
def test_changes_alternate_and_are_told(sides):
    """Each change is told once, and the sides told alternate."""
    latch = Latch()
    told = [latch.side for number, clear in enumerate(sides) if latch.see(clear, number * 0.2)]
    assert all(first == -second for first, second in pairwise(told))
