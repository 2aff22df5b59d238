"""Cut-outs with soft edges, and how they are laid on top of each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.types import Image

Plane = NDArray[np.float32]
"""(H, W) float32."""

Bgr = tuple[float, float, float]
"""A colour in [0, 255]."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A cut-out: ``colour`` is premultiplied by its opacity, ``keep`` is what it leaves of the picture below it.

    Laying it down is then one multiplication and one addition of bytes: below * keep / 255 + colour. Both arrays are
    (H, W, 3) uint8. ``shadow``, where there is one, is (H + 2 * margin, W + 2 * margin, 3) uint8 and multiplies what
    lies ``margin`` pixels around and below the cut-out.
    """

    colour: Image
    keep: Image
    shadow: Image | None = None
    margin: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self.colour.shape[1], self.colour.shape[0]

    @property
    def solid(self) -> NDArray[np.bool_]:
        """(H, W): where it hides what is below."""
        return self.keep[..., 0] < 128

    @classmethod
    def empty(cls, width: int, height: int) -> "Sprite":
        """Return a cut-out that is transparent everywhere, to lay others on."""
        return cls(np.zeros((height, width, 3), np.uint8), np.full((height, width, 3), 255, np.uint8))


def as_image(values: NDArray[Any]) -> Image:
    """Return the values as bytes, cut to [0, 255] and owned."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def from_colour(colour: Plane, opacity: Plane) -> Sprite:
    """Make a trimmed cut-out from (H, W, 3) colour in [0, 255] and (H, W) opacity in [0, 1]."""
    rows, columns = np.flatnonzero(opacity.max(axis=1) > 0.03), np.flatnonzero(opacity.max(axis=0) > 0.03)
    if not rows.size:
        return Sprite.empty(1, 1)
    area = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    alpha = np.repeat(opacity[area][..., None], 3, axis=2)
    return Sprite(as_image(colour[area] * alpha), as_image(255 * (1 - alpha)))


def with_shadow(sprite: Sprite, strength: float, blur: float) -> Sprite:
    """Give a cut-out the soft shadow that it throws a little below itself.

    Args:
        sprite: Without shadow.
        strength: How much light it takes, in [0, 1].
        blur: Softness, pixels.
    """
    margin = max(2, round(blur * 2.5))
    opacity = cv2.copyMakeBorder(255 - sprite.keep, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    dark = cv2.GaussianBlur(opacity, (0, 0), blur).astype(np.float32)
    dark = np.roll(dark, (round(blur), round(blur * 0.5)), axis=(0, 1))
    return Sprite(sprite.colour, sprite.keep, as_image(255 - strength * dark), margin)


def lay(picture: Image, sprite: Sprite, x: int, y: int) -> None:
    """Lay a cut-out on an opaque picture, top left at (x, y); what falls outside is cut off."""
    if sprite.shadow is not None:
        _multiply(picture, sprite.shadow, x - sprite.margin, y - sprite.margin)
    _multiply(picture, sprite.keep, x, y)
    window = _overlap(picture, sprite.colour, x, y)
    if window is not None:
        below, above = picture[window[0]], sprite.colour[window[1]]
        cv2.add(below, above, dst=below)


def stack(below: Sprite, sprite: Sprite, x: int, y: int) -> None:
    """Lay a cut-out on another, which grows by it; shadows fall on what is there, not on what is transparent."""
    lay(below.colour, sprite, x, y)
    _multiply(below.keep, sprite.keep, x, y)


def noise(rng: Generator, shape: tuple[int, int], cell: float) -> Plane:
    """Return smooth random values, about standard normal, with features of ``cell`` pixels."""
    height, width = shape
    grid = rng.standard_normal((max(2, int(height / cell) + 2), max(2, int(width / cell) + 2))).astype(np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def mix(first: Plane, second: NDArray[Any] | Sequence[float], share: NDArray[Any]) -> Plane:
    """Blend (H, W, 3) colours: ``share`` (H, W) in [0, 1] of the second."""
    weight = share[..., None]
    return np.asarray(first * (1 - weight) + np.asarray(second, np.float32) * weight, np.float32)


Window = tuple[tuple[slice, slice], tuple[slice, slice]]


def _overlap(picture: Image, part: Image, x: int, y: int) -> Window | None:
    """Where a part at (x, y) meets the picture: the window in the picture, and the same in the part."""
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + part.shape[1], picture.shape[1]), min(y + part.shape[0], picture.shape[0])
    if left >= right or top >= bottom:
        return None
    return (slice(top, bottom), slice(left, right)), (slice(top - y, bottom - y), slice(left - x, right - x))


def _multiply(picture: Image, factor: Image, x: int, y: int) -> None:
    window = _overlap(picture, factor, x, y)
    if window is not None:
        below = picture[window[0]]
        cv2.multiply(below, factor[window[1]], dst=below, scale=1 / 255)
