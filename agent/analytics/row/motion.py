"""How far the camera moved between two pictures, or that nobody can tell."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.tracking.shared_motion import shared_shift
from agent.types import Boxes, Image

_WIDTH_PX = 320  # of the picture in which motion is looked for: a few ms, and a quarter of a pixel of 1280
_CORNERS = 160
_CORNER_QUALITY = 0.01  # of the best corner's
_CORNER_APART_PX = 8
_WINDOW_PX = 15
_LEVELS = 4  # of the pyramid
_AGREE_PX = 1.5  # in the small picture: leaves in the wind and depth move this far from the rest
_MIN_CORNERS = 12
_MIN_AGREEING = 0.3  # measured on cuts of a real video: below 0.1; between neighbouring frames: above 0.95

_Grey = NDArray[np.uint8]
_Points = NDArray[np.float32]
_Vector = NDArray[np.float32]  # (2,) right, down


@dataclass(frozen=True, slots=True)
class Shift:
    """What the content of the picture did from one frame to the next, in pixels of the source frame.

    ``right_px`` and ``down_px`` are 0 in a picture of another scene (``cut``) and in one that shows nothing.
    """

    right_px: float
    down_px: float
    cut: bool = False


class CameraMotion:
    """Follows the shift of one camera's picture. Remembers one small grey picture and the boxes in it."""

    def __init__(self) -> None:
        """Start before the first frame."""
        self._before: _Scene | None = None
        self._last_flow = np.zeros(2, np.float32)

    def moved(self, image: Image, boxes: Boxes) -> Shift:
        """Look at the next picture.

        Corners are followed from the last picture to this one, by pyramidal Lucas-Kanade that begins at the last shift,
        else at that of phase correlation, else at the one that the boxes share; the shift on which most of the corners
        agree is the camera's. If they never agree the scene is another: a cut. Where one of the two pictures has no
        corners, the shift that the boxes share is believed as it is. A picture without corners and boxes says nothing:
        it is passed over, and the next is compared with the one before it.

        Args:
            image: (H, W, 3) BGR.
            boxes: (N, 4) xyxy of the objects in it; N may be 0.

        Returns:
            The shift since the last picture that showed something. The first picture rests.

        Source: Bouguet, Pyramidal Implementation of the Lucas Kanade Feature Tracker, Intel 2000.
        """
        scale = max(1.0, image.shape[1] / _WIDTH_PX)
        before, now = self._before, _Scene.of(_small_grey(image, scale), boxes / np.float32(scale))
        if before is None or before.grey.shape != now.grey.shape:
            self._before = now
            return Shift(0.0, 0.0, cut=before is not None)
        shift = self._shift(before, now)
        if shift is None and not now.has_corners:
            return Shift(0.0, 0.0)
        self._before = now
        self._last_flow = np.zeros(2, np.float32) if shift is None else shift
        if shift is None:
            return Shift(0.0, 0.0, cut=True)
        return Shift(float(shift[0]) * scale, float(shift[1]) * scale)

    def _shift(self, before: "_Scene", now: "_Scene") -> _Vector | None:
        """Return the shift (right, down) in pixels of the small picture; None where nothing tells it."""
        if not (before.has_corners and now.has_corners):
            return _shared(before, now)
        for guess in self._guesses(before, now):
            shift = _followed(before.grey, now.grey, before.corners, guess)
            if shift is not None:
                return shift
        return None

    def _guesses(self, before: "_Scene", now: "_Scene") -> Iterator[_Vector]:
        """Give shifts to look near, the likeliest and cheapest first."""
        yield self._last_flow
        yield _correlated(before.grey, now.grey)
        shared = _shared(before, now)
        if shared is not None:
            yield shared


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What is remembered of a picture; all in pixels of the small one."""

    grey: _Grey
    corners: _Points  # (C, 2) places that can be found again
    boxes: Boxes

    @classmethod
    def of(cls, grey: _Grey, boxes: Boxes) -> "_Scene":
        found = cv2.goodFeaturesToTrack(grey, _CORNERS, _CORNER_QUALITY, _CORNER_APART_PX)
        corners = np.zeros((0, 2), np.float32) if found is None else np.asarray(found.reshape(-1, 2), np.float32)
        return cls(grey, corners, boxes)

    @property
    def has_corners(self) -> bool:
        return len(self.corners) >= _MIN_CORNERS


def _shared(before: _Scene, now: _Scene) -> _Vector | None:
    """Return the shift that most boxes share."""
    shift = shared_shift(before.boxes, now.boxes)
    return None if shift is None else np.array(shift, np.float32)


def _small_grey(image: Image, scale: float) -> _Grey:
    size = (round(image.shape[1] / scale), round(image.shape[0] / scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _correlated(before: _Grey, after: _Grey) -> _Vector:
    """Return the shift by phase correlation: rough, and nonsense after a cut, but right for far leaps."""
    window = cv2.createHanningWindow((before.shape[1], before.shape[0]), cv2.CV_32F)
    shift, _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32), window)
    return np.array(shift, np.float32)


def _followed(before: _Grey, after: _Grey, corners: _Points, guess: _Vector) -> _Vector | None:
    """Return the shift on which enough of the corners agree, looked for near a guess; None if they do not."""
    start = (corners + guess).reshape(-1, 1, 2)
    places, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        corners.reshape(-1, 1, 2),
        start,
        winSize=(_WINDOW_PX, _WINDOW_PX),
        maxLevel=_LEVELS,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    shifts = np.asarray((places.reshape(-1, 2) - corners)[found.reshape(-1) == 1], np.float32)
    if len(shifts) < _MIN_CORNERS:
        return None
    agree = (np.abs(shifts - _densest(shifts)) <= _AGREE_PX).all(axis=1)
    if agree.sum() < _MIN_AGREEING * len(corners):
        return None
    return np.asarray(np.median(shifts[agree], axis=0), np.float32)


def _densest(shifts: _Points) -> _Vector:
    """Return the shift that most others are near to: unlike the median, it is right where less than half agree."""
    near = (np.abs(shifts[:, np.newaxis] - shifts) <= _AGREE_PX).all(axis=2)
    return np.asarray(shifts[near.sum(axis=1).argmax()], np.float32)
