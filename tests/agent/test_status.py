"""How many frames a second were analysed lately."""

import tracemalloc

import pytest

from agent.status import FrameRate


def test_rate_is_that_of_the_last_seconds():
    """A camera that slowed down is told at its pace of now, and one that stopped at none."""
    rate = FrameRate(over_s=10)
    for number in range(100):
        rate.add(number * 200_000_000)
    for number in range(10):
        rate.add(20_000_000_000 + number * 2_000_000_000)
    assert rate.per_second(38_000_000_000) == pytest.approx(0.5)
    assert rate.per_second(60_000_000_000) == 0.0


def test_old_frames_are_forgotten():
    """Hours of frames take no more memory than seconds of them."""
    rate = FrameRate(over_s=10)
    tracemalloc.start()
    try:
        for number in range(1800):
            rate.add(10**12 + number * 2_000_000_000)
        kept_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept_bytes < 5000
