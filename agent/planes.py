"""A picture as cameras code it, luma and colour apart, turned into BGR only where somebody wants that.

It is half as large as BGR. A detector's input is drawn from it without ever making BGR of the whole.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
"""(H, W) uint8."""

_BLACK, _GREYS, _COLOURS = 16, 219, 224  # of video that leaves room at both ends (ITU-R BT.601, 2.5)
_MIDDLE = 128.0


@dataclass(frozen=True, slots=True)
class Colour:
    """How luma and colour were made of red, green and blue.

    ``red`` and ``blue`` are their shares in the luma: 0.299 and 0.114 for BT.601. ``full``: black is 0 and white 255;
    otherwise 16 and 235.
    """

    red: float
    blue: float
    full: bool

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not (self.red > 0 and self.blue > 0 and self.red + self.blue < 1):
            raise ValueError(f"shares of red and blue: found {self.red} and {self.blue}; allowed: above 0, below 1")


class Planes:
    """Luma and the two planes of colour, which may be smaller. Only to be read."""

    __slots__ = ("_bgr", "_colour", "_planes")

    def __init__(self, luma: Plane, cb: Plane, cr: Plane, colour: Colour) -> None:
        """Take the planes as they are.

        Args:
            luma: (H, W) uint8.
            cb: (h, w) uint8, how blue; at most as large as luma, and stretched over it.
            cr: The same, how red.
            colour: What they mean.

        Raises:
            ValueError: They are no planes of one picture.
        """
        if any(each.ndim != 2 or each.dtype != np.uint8 or each.size == 0 for each in (luma, cb, cr)):
            raise ValueError("expected three (H, W) uint8 planes")
        if cb.shape != cr.shape or cb.shape[0] > luma.shape[0] or cb.shape[1] > luma.shape[1]:
            raise ValueError(f"planes of {luma.shape}, {cb.shape} and {cr.shape} do not belong together")
        self._planes, self._colour = (luma, cb, cr), colour
        self._bgr: NDArray[np.uint8] | None = None

    @property
    def planes(self) -> tuple[Plane, Plane, Plane]:
        """Luma, Cb and Cr."""
        return self._planes

    @property
    def colour(self) -> Colour:
        """What they mean."""
        return self._colour

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, 3), as that of BGR would be."""
        height, width = self._planes[0].shape
        return height, width, 3

    def bgr(self) -> NDArray[np.uint8]:
        """Return all of it as (H, W, 3) uint8 BGR, made at the first call and kept. It cannot be written to."""
        if self._bgr is None:
            image = np.empty(self.shape, np.uint8)
            self.draw(image)
            image.flags.writeable = False
            self._bgr = image
        return self._bgr

    def draw(self, target: NDArray[np.uint8]) -> None:
        """Draw all of it into an image, stretched to its size by bilinear interpolation.

        Args:
            target: (h, w, 3) uint8, overwritten with BGR.
        """
        import cv2  # noqa: PLC0415  the decoder's process makes planes and has no OpenCV

        height, width = target.shape[:2]
        fitting: list[Any] = [
            plane if plane.shape == (height, width) else cv2.resize(plane, (width, height)) for plane in self._planes
        ]
        cv2.transform(cv2.merge(fitting), _to_bgr(self._colour), dst=target)


Pixels = NDArray[np.uint8] | Planes
"""A picture: (H, W, 3) uint8 BGR, or its planes. Both have that ``shape``."""


def bgr_of(pixels: Pixels) -> NDArray[np.uint8]:
    """Return a picture as (H, W, 3) uint8 BGR."""
    return pixels.bgr() if isinstance(pixels, Planes) else pixels


@cache
def _to_bgr(colour: Colour) -> NDArray[np.float32]:
    """Return (3, 4) float32: B, G and R from luma, Cb, Cr and 1.

    Source: ITU-R BT.601-7, 2.5.
    """
    green = 1 - colour.red - colour.blue
    grey, more, black = (1.0, 1.0, 0) if colour.full else (255 / _GREYS, 255 / _COLOURS, _BLACK)
    of_cb, of_cr = 2 * (1 - colour.blue) * more, 2 * (1 - colour.red) * more
    rows = np.array(
        [
            [grey, of_cb, 0],
            [grey, -of_cb * colour.blue / green, -of_cr * colour.red / green],
            [grey, 0, of_cr],
        ]
    )
    offset = rows @ np.array([black, _MIDDLE, _MIDDLE])
    return np.column_stack([rows, -offset]).astype(np.float32)
