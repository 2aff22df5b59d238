"""Colour as a surface has it, whatever light falls on it."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.types import Image

DARKEST_LIGHTNESS = 10.0
"""L* below which a colour is mostly noise, and below about 8 CIE L*a*b* is no longer a cube root."""


def lab(image: Image) -> NDArray[np.float32]:
    """Return CIE L*a*b* of an sRGB picture: (H, W, 3) float32, L* in [0, 100], white point D65.

    Source: CIE 15:2004, 8.2.1; sRGB after IEC 61966-2-1, as OpenCV's COLOR_BGR2LAB on float32.
    """
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)


def chroma(colours: NDArray[Any]) -> NDArray[Any]:
    """Return a* and b* over L* + 16: (..., 2) from (..., 3) L*a*b*. More or less of the same light does not change it.

    Where light is k times as strong, X, Y and Z are k times as large. With f(t) = t^(1/3), which holds for L* above 8,
    a* = 500 (f(X/Xn) - f(Y/Yn)), b* = 200 (f(Y/Yn) - f(Z/Zn)) and L* + 16 = 116 f(Y/Yn) all grow by k^(1/3), so their
    ratios stay. Light of another colour does change it.

    Source: the formulas of CIE 15:2004, 8.2.1.1. The ratio is to L*a*b* what CIE's saturation C*uv / L* is to L*u*v*.
    """
    return np.asarray(colours[..., 1:] / (colours[..., :1] + 16))
