"""What one small picture says of the camera that took it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.types import Small

_BRIGHT = 250
_LEAST_DETAIL = 1e-3


@dataclass(frozen=True, slots=True)
class Signs:
    """Of one picture.

    ``brightness``: mean luma, 0 to 255. ``brightest``: luma that 1% of the picture exceeds. ``burnt``: share of it that
    is white. ``contrast``: mean difference of what is 4 to 16 small pixels large from its surroundings, in grey levels.
    ``sharpness``: fine detail in relation to coarse; exposure and contrast do not change it. Photographs of trees have
    0.3 to 0.8; blurred by 4 pixels of 640 they have 0.13 to 0.19.
    """

    brightness: float
    brightest: float
    burnt: float
    contrast: float
    sharpness: float


def read_signs(small: Small) -> Signs:
    """Return what a picture says; it costs about a millisecond."""
    grey = small.astype(np.float32)
    fine, middle, coarse = (np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.float32) for sigma in (1, 4, 16))
    return Signs(
        brightness=float(grey.mean()),
        brightest=float(np.percentile(small, 99)),
        burnt=float(np.count_nonzero(small >= _BRIGHT) / small.size),
        contrast=_difference(middle, coarse),
        sharpness=_difference(grey, fine) / max(_LEAST_DETAIL, _difference(fine, middle)),
    )


def _difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.abs(first - second).mean())
