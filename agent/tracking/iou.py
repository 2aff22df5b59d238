"""Intersection over union."""

import numpy as np
from numpy.typing import NDArray

from agent.types import Boxes


def iou(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Return how much each box of one set has in common with each of another.

    Args:
        first: (N, 4) float32 xyxy. N may be 0.
        second: (M, 4) float32 xyxy, same frame. M may be 0.

    Returns:
        (N, M) float32 in [0, 1]: area of the intersection by area of the union; 0 where a box has no area, or where
        its corners are the wrong way round.
    """
    width = np.minimum(first[:, np.newaxis, 2], second[:, 2]) - np.maximum(first[:, np.newaxis, 0], second[:, 0])
    height = np.minimum(first[:, np.newaxis, 3], second[:, 3]) - np.maximum(first[:, np.newaxis, 1], second[:, 1])
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    union = area(first)[:, np.newaxis] + area(second) - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0))


def area(boxes: Boxes) -> NDArray[np.float32]:
    """Return (N,) float32 areas of (N, 4) xyxy boxes, 0 for a box whose corners are the wrong way round."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])
