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
        stood: dict[int, NDArray[np.float32]] = {}
        swept = []
        for track_id, box in zip(tracks.track_ids.tolist(), tracks.boxes, strict=True):
            stood[track_id] = before = self._stood.get(track_id, box)
            if _is_elsewhere(box, before):
                swept.append([*np.minimum(box[:2], before[:2]), *np.maximum(box[2:], before[2:])])
                stood[track_id] = box
        self._stood = stood
        sides = np.array([width, height, width, height], np.float32)
        return np.asarray(np.array(swept, np.float32).reshape(-1, 4) / sides, np.float32)


def _is_elsewhere(box: NDArray[np.float32], before: NDArray[np.float32]) -> bool:
    step = np.abs(box[:2] + box[2:] - before[:2] - before[2:]).max() / 2
    return bool(step > _LEAST_PART * (box[2:] - box[:2]).min())
