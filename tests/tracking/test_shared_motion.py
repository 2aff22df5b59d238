"""The motion that most boxes share."""

import numpy as np
import pytest

from agent.tracking.shared_motion import shared_shift

RANDOM = np.random.default_rng(11)
CENTRES = RANDOM.uniform(100, 900, (20, 2))
SIDES = RANDOM.uniform(30, 60, (20, 2))


def boxes(centres: np.ndarray, sides: np.ndarray = SIDES) -> np.ndarray:
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype(np.float32)


@pytest.mark.parametrize("shift", [(0, 0), (-47, 0), (120, -80), (3, 400)])
def test_common_shift_is_found(shift):
    """However far all boxes move together, even many times their size, the shift is found."""
    assert shared_shift(boxes(CENTRES), boxes(CENTRES + shift)) == pytest.approx(shift, abs=0.1)


def test_comers_goers_and_jitter_do_not_matter():
    """With a third of the boxes gone, as many new ones, any order, and jitter, the shift is found to a few pixels."""
    random = np.random.default_rng(2)
    stay = CENTRES[:14] + np.array([-60, 5]) + random.normal(0, 2, (14, 2))
    after = np.concatenate([stay, random.uniform(100, 900, (6, 2))])
    order = random.permutation(20)
    found = shared_shift(boxes(CENTRES), boxes(after[order], SIDES[order]))
    assert found == pytest.approx((-60, 5), abs=4)


def test_own_ways_are_not_shared():
    """Boxes that each go their own way have no shift in common."""
    after = CENTRES + np.random.default_rng(3).uniform(-200, 200, CENTRES.shape)
    assert shared_shift(boxes(CENTRES), boxes(after)) is None


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 20), (20, 0), (2, 2), (2, 20)])
def test_too_few_say_nothing(before, after):
    """Fewer than three boxes on either side have no shift in common."""
    assert shared_shift(boxes(CENTRES)[:before], boxes(CENTRES)[:after]) is None


def test_other_sizes_do_not_vote():
    """Boxes of quite another size are other objects."""
    assert shared_shift(boxes(CENTRES), boxes(CENTRES, SIDES * 3)) is None


@pytest.mark.parametrize("farthest", [8000, 1_000_000])
def test_tiny_boxes_far_apart(farthest):
    """Boxes of a pixel all over a large frame, or far outside of it, are handled without a huge grid of bins."""
    centres = np.random.default_rng(4).uniform(0, farthest, (50, 2))
    shift = farthest / 250
    found = shared_shift(boxes(centres, np.ones((50, 2))), boxes(centres + shift, np.ones((50, 2))))
    assert found == pytest.approx((shift, shift), rel=0.01)
