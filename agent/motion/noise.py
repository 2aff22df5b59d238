"""How much each part of a picture changes when nothing happens."""

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.types import Small

BLOCK_PX = 8
"""Side of a block in the small picture: a fortieth of its width."""

Blocks = NDArray[np.float32]
"""(rows, columns) float32: one value a block, in grey levels."""

_LEARN_S = 60.0
_CALM_S = 600.0
_RISE = 0.15  # of the threshold, with each picture beyond it: an object leaves 2 or 3 of them in a place, rain many
_FLOOR = 2.5  # grey levels: less is below what coding does to a still picture at its key frames
_SPREADS = 4.0  # of what is usual; beyond this once in many thousand blocks
_FIRST_LEVEL, _FIRST_SPREAD = 1.0, 0.5
_DARKEST = 4.0  # added to both sides of a ratio: black against black says nothing about the light
_CONTRAST_FROM = 0.5  # a residual against light that changed more than this is no residual


class BlockNoise:
    """The usual change of each block, and its spread, learned as exponential averages; and a guard on top of both.

    What is far beyond the usual is averaged as if it were at the threshold, so that an object that passes leaves little
    behind. Rain hits a block only now and then, which moves no average: each hit raises the block's guard, which falls
    back over ten minutes. So rain, leaves in the wind and the noise of a night are learned within a minute or two.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """Expect what a good camera does by day.

        Args:
            shape: Rows and columns of blocks.
        """
        self._level = np.full(shape, _FIRST_LEVEL, np.float32)
        self._spread = np.full(shape, _FIRST_SPREAD, np.float32)
        self._guard = np.zeros(shape, np.float32)

    def threshold(self) -> Blocks:
        """Return the change of each block from which on something happens there."""
        return np.asarray(self._level + _SPREADS * self._spread + _FLOOR + self._guard, np.float32)

    def learn(self, change: Blocks, passed_s: float, *, busy: NDArray[np.bool_]) -> None:
        """Take in the change of one picture.

        Args:
            change: By block.
            passed_s: Since the last one.
            busy: Blocks in which objects are known to move: that is no noise, and is not learned.
        """
        share = np.where(busy, 0.0, min(0.2, passed_s / _LEARN_S)).astype(np.float32)
        threshold = self.threshold()
        usual = np.minimum(change, threshold)
        self._guard *= max(0.0, 1 - passed_s / _CALM_S)
        self._guard += np.where((change > threshold) & ~busy, _RISE * threshold, 0)
        self._spread += share * (np.abs(usual - self._level) - self._spread)
        self._level += share * (usual - self._level)


def change_between(before: Small, after: Small) -> Blocks | None:
    """Return the mean absolute difference of each block, with a change of the light taken out.

    The light is the ratio that the middle block has: exposure and clouds multiply, and an object covers less than half.

    Args:
        before: (h, w) luma.
        after: Of the same shape.

    Returns:
        By block; None where the light is so different that the two cannot be compared.
    """
    size = (max(1, after.shape[1] // BLOCK_PX), max(1, after.shape[0] // BLOCK_PX))
    first, second = before.astype(np.float32), after.astype(np.float32)
    ratio = (_means(second, size) + _DARKEST) / (_means(first, size) + _DARKEST)
    light = float(np.median(ratio))
    if not _CONTRAST_FROM < light < 1 / _CONTRAST_FROM:
        return None
    return _means(np.abs(second - (light * (first + _DARKEST) - _DARKEST)), size)


def _means(values: NDArray[np.float32], size: tuple[int, int]) -> Blocks:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
