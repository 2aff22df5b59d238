"""Whether memory grew: a line through samples, and how sure it is."""

import numpy as np
import pytest

from benchmarks.speed.lasting import Trend

MINUTES = np.arange(61.0)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, len(MINUTES))


def test_growth_is_found_with_its_error():
    """Samples of a leak of 6 MB an hour lie around it: in nineteen of twenty runs within two errors."""
    trends = [Trend.of(MINUTES, 200 + 0.1 * MINUTES + noise(seed)) for seed in range(200)]
    hits = sum(abs(trend.slope - 0.1) <= 2 * trend.error for trend in trends)
    assert hits >= 180
    low, likely, high = trends[0].percent(60)
    assert low < likely < high
    assert likely == pytest.approx(3.0, abs=0.3)


def test_noise_alone_is_no_growth():
    """Of runs without a leak few are told to have grown, and none by much."""
    lows = [Trend.of(MINUTES, 200 + noise(seed)).percent(60)[0] for seed in range(200)]
    assert sum(low > 0 for low in lows) <= 10
    assert max(lows) < 0.3


def test_steps_that_last_make_less_sure():
    """Memory that is taken and given back in long stretches is fewer samples than it seems: the error is wider."""
    steps = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 11)[: len(MINUTES)]
    mixed = np.random.default_rng(1).permutation(steps)
    assert Trend.of(MINUTES, 200 + steps).error > 2 * Trend.of(MINUTES, 200 + mixed).error


def test_two_samples_are_no_trend():
    """Through two samples goes a line without an error."""
    with pytest.raises(ValueError, match="at least 3"):
        Trend.of([0, 1], [5, 6])
