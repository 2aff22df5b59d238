"""From fruit found to fruit there, against values worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analytics.row import BUNDLED, PassRecord


def test_band_of_a_hand_worked_case():
    """48 found at 0.8 for each fruit are 60; a standard deviation is sqrt(0.6 * 60) = 6; 1.645 of it go each way."""
    band = PassRecord(found_share=0.8, spread=0.6).band(48)
    assert (band.count, band.variance) == pytest.approx((60, 36))
    assert (band.low, band.high) == pytest.approx((60 - 9.87, 60 + 9.87))


def test_nothing_found_leaves_room_for_a_fruit():
    """Where nothing was found the count is 0, and the upper end is above it."""
    band = BUNDLED.band(0)
    assert (band.low, band.count) == (0, 0)
    assert band.high > 1


@given(st.integers(0, 10_000), st.floats(0.05, 1.5), st.floats(0, 5))
def test_band_is_in_order(found: int, found_share: float, spread: float):
    """The band holds the count, and never goes below nothing."""
    band = PassRecord(found_share, spread).band(found)
    assert 0 <= band.low <= band.count <= band.high


@pytest.mark.parametrize("record", [(0, 1), (-0.5, 1), (0.5, -1), (float("nan"), 1), (1, 1, 0.0), (1, 1, 1.0)])
def test_impossible_records_are_refused(record: tuple[float, ...]):
    """A record that finds nothing, strays by less than nothing, or is sure of all or nothing, cannot be used."""
    with pytest.raises(ValueError, match="allowed"):
        PassRecord(*record)
