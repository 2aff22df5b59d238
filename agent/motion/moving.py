"""Which of the tracked objects move."""

import numpy as np
from numpy.typing import NDArray

from agent.types import Boxes, Tracks

_LEAST_PART = 0.25  # of its shorter side: a detector's box of a thing that stands moves by a twentieth


class MovingObjects:
    """Remembers where each object of the last frame stood, and tells those that have left that place."""

    def __init__(self) -> None:
        """Know no objects."""
        self._stood: dict[int, NDArray[np.float32]] = {}

    def among(self, tracks: Tracks, width: int, height: int) -> Boxes:
        """Return where tracks move, as shares of the picture: around the place that each left and the one it is in.

        Args:
            tracks: Of the next frame, in its pixels.
            width: Of the frame.
            height: Of the frame.
        """
        boxes, ids = tracks.boxes, tracks.track_ids.tolist()
        before = np.array([self._stood.get(each, box) for each, box in zip(ids, boxes, strict=True)]).reshape(-1, 4)
        moves = _are_elsewhere(boxes, before)
        self._stood = dict(zip(ids, np.where(moves[:, np.newaxis], boxes, before), strict=True))
        swept = np.hstack([np.minimum(boxes[:, :2], before[:, :2]), np.maximum(boxes[:, 2:], before[:, 2:])])[moves]
        return np.asarray(swept / np.array([width, height, width, height]), np.float32)


def _are_elsewhere(boxes: Boxes, before: Boxes) -> NDArray[np.bool_]:
    steps = np.abs(boxes[:, :2] + boxes[:, 2:] - before[:, :2] - before[:, 2:]).max(axis=1) / 2
    return np.asarray(steps > _LEAST_PART * (boxes[:, 2:] - boxes[:, :2]).min(axis=1))
