"""The motion that most of a picture shares, because the camera moves."""

import numpy as np
from numpy.typing import NDArray

from agent.types import Boxes

_MIN_SUPPORT = 3
_MIN_SUPPORT_RATIO = 0.5
_SIZE_TOLERANCE = 1.5  # sides of one object in two frames differ by less than this factor
_RADIUS_PER_SIDE = 0.25  # shifts that differ by less than this part of a side are the same shift
_MOST_BINS = 1000  # on either axis, however tiny the boxes and however far apart

_Column = NDArray[np.float64]


def shared_shift(before: Boxes, after: Boxes) -> tuple[float, float] | None:
    """Return by how much most boxes moved between two frames, if most moved alike.

    Each pair of an earlier and a later box of like size votes for the shift between their centres; true pairs agree and
    the rest scatters. Nobody needs to know which box is which, so this works where boxes move by more than their size
    and overlap says nothing, which is what a camera driving past a tree looks like at a few frames a second.

    Args:
        before: (N, 4) float32 xyxy of positive width and height, earlier frame. N may be 0.
        after: (M, 4) float32 xyxy of positive width and height, later frame. M may be 0.

    Returns:
        Pixels right and down; None when fewer than three boxes, or fewer than half of the smaller set, agree.
    """
    needed = max(_MIN_SUPPORT, _MIN_SUPPORT_RATIO * min(len(before), len(after)))
    if min(len(before), len(after)) < _MIN_SUPPORT:
        return None
    right, down, owners = _votes(before, after)
    if len(owners) < needed:
        return None
    span = max(float(np.ptp(right)), float(np.ptp(down)))
    radius = max(_RADIUS_PER_SIDE * float(np.median(after[:, 2:] - after[:, :2])), span / _MOST_BINS)
    peak = _densest(right, down, radius)
    agree = (np.abs(right - peak[0]) <= radius) & (np.abs(down - peak[1]) <= radius)
    if len(np.unique(owners[agree])) < needed:
        return None
    return float(np.median(right[agree])), float(np.median(down[agree]))


def _votes(before: Boxes, after: Boxes) -> tuple[_Column, _Column, NDArray[np.intp]]:
    """Return the shifts right and down of all pairs of like size, and which row of ``before`` each is of; (V,) each."""
    tolerance = np.log(_SIZE_TOLERANCE)
    sides_before, sides_after = np.log(before[:, 2:] - before[:, :2]), np.log(after[:, 2:] - after[:, :2])
    like_width = np.abs(sides_before[:, np.newaxis, 0] - sides_after[:, 0]) < tolerance
    like_height = np.abs(sides_before[:, np.newaxis, 1] - sides_after[:, 1]) < tolerance
    owners, others = np.nonzero(like_width & like_height)
    centres_before = (before[:, 2:] + before[:, :2]).astype(np.float64) / 2
    centres_after = (after[:, 2:] + after[:, :2]).astype(np.float64) / 2
    shifts = centres_after[others] - centres_before[owners]
    return shifts[:, 0], shifts[:, 1], owners


def _densest(right: _Column, down: _Column, radius: float) -> tuple[float, float]:
    """Return the centre of the square of side 2 ``radius``, among overlapping ones, that holds most shifts."""
    left, top = right.min(), down.min()
    columns, rows = ((right - left) / radius).astype(np.int64), ((down - top) / radius).astype(np.int64)
    width, height = columns.max() + 2, rows.max() + 2
    counts = np.bincount(columns * height + rows, minlength=width * height).reshape(width, height)
    four = counts[:-1, :-1] + counts[1:, :-1] + counts[:-1, 1:] + counts[1:, 1:]
    column, row = divmod(int(four.argmax()), four.shape[1])
    return float(left + (column + 1) * radius), float(top + (row + 1) * radius)
