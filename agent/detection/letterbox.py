"""Fitting a frame into the model's input and bringing boxes back.

Rounding, border and interpolation are those of ultralytics' LetterBox (auto=False, center=True) and scale_boxes
(8.4.190), because the model was trained and is judged with them: half a pixel costs accuracy on small fruit.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.planes import Pixels, Planes
from agent.types import Boxes

_GREY = 114
"""Value of the border, as in training."""


def check_picture(pixels: Pixels) -> tuple[int, int]:
    """Return height and width of a frame.

    Raises:
        ValueError: It is neither planes nor a (H, W, 3) uint8 image with at least one pixel.
    """
    if not isinstance(pixels, Planes) and (
        pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or pixels.size == 0
    ):
        raise ValueError(f"expected a (H, W, 3) uint8 BGR image, found {pixels.shape} {pixels.dtype}")
    return pixels.shape[0], pixels.shape[1]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a frame lies in the model's input. Pixels."""

    source_height: int
    source_width: int
    height: int  # of the frame after scaling
    width: int
    top: int  # of its corner in the input
    left: int

    @classmethod
    def fit(cls, source: tuple[int, int], target: tuple[int, int]) -> "Placement":
        """Place a frame of (height, width) in the middle of an input of (height, width), as large as fits."""
        gain = min(target[0] / source[0], target[1] / source[1])
        height, width = (max(round(side * gain), 1) for side in source)
        top, left = round((target[0] - height) / 2 - 0.1), round((target[1] - width) / 2 - 0.1)
        return cls(source[0], source[1], height, width, top, left)

    def to_source(self, boxes: Boxes) -> Boxes:
        """Map boxes from the model's input to the frame and clip them to it.

        Args:
            boxes: (N, 4) float32 xyxy, pixels of the model's input.

        Returns:
            (N, 4) float32 xyxy, pixels of the frame.
        """
        gain_x, gain_y = self.width / self.source_width, self.height / self.source_height
        corner = np.array([self.left, self.top] * 2, np.float32)
        gain = np.array([gain_x, gain_y] * 2, np.float32)
        limit = np.array([self.source_width, self.source_height] * 2, np.float32)
        mapped: Boxes = np.clip((boxes - corner) / gain, np.float32(0), limit)
        return mapped


class Letterbox:
    """The model's input as bytes, written again for each frame. One owner at a time."""

    def __init__(self, height: int, width: int) -> None:
        """Allocate the input once, all grey."""
        self.canvas: NDArray[np.uint8] = np.full((1, height, width, 3), _GREY, np.uint8)
        """(1, height, width, 3) uint8, BGR. Always the same memory, so that a runtime can keep looking at it."""
        self._placement: Placement | None = None

    def fill(self, pixels: Pixels) -> Placement:
        """Draw a frame into the canvas.

        Raises:
            ValueError: It is neither planes nor a (H, W, 3) uint8 image with at least one pixel.
        """
        placement = self._place(*check_picture(pixels))
        rows = slice(placement.top, placement.top + placement.height)
        columns = slice(placement.left, placement.left + placement.width)
        target = self.canvas[0, rows, columns]
        if isinstance(pixels, Planes):
            pixels.draw(target)
        elif pixels.shape == target.shape:
            np.copyto(target, pixels)
        else:
            cv2.resize(pixels, (placement.width, placement.height), dst=target, interpolation=cv2.INTER_LINEAR)
        return placement

    def _place(self, height: int, width: int) -> Placement:
        """Return the placement of a frame size; a camera keeps its size, so the border is drawn only at a change."""
        last = self._placement
        if last is not None and (last.source_height, last.source_width) == (height, width):
            return last
        self.canvas.fill(_GREY)
        self._placement = Placement.fit((height, width), self.canvas.shape[1:3])
        return self._placement
