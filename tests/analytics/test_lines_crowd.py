"""A line, a thousand objects, a bad detector and the real tracker."""

from tests.analytics.walks import count_a_thousand


def test_a_thousand_crossings():
    """Of 1,000 objects, half each way, that flicker on the line or are hidden around it, at most 5 are miscounted.

    Boxes jitter by 5%, 10% are missed, 10% are dim and 5% are of nothing. A hundred more come near and turn back.
    """
    found = count_a_thousand()
    assert abs(found["crossed_in"] + found["crossed_out"] - 1000) <= 5
    assert abs(found["crossed_in"] - 500) <= 5
    assert abs(found["crossed_out"] - 500) <= 5
