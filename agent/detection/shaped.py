"""One model at several input shapes: each frame goes to the shape that fits it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.detection.letterbox import check_picture
from agent.detection.model import ModelInfo
from agent.planes import Pixels
from agent.types import Detections

if TYPE_CHECKING:
    from agent.detection.detector import Detector  # which opens the bundled model as one of these

_AS_LARGE = 0.98  # of the best scale: then the smaller input is as good, and cheaper


@dataclass(frozen=True, slots=True)
class Shaped:
    """A model file and its input."""

    path: Path
    height: int  # pixels
    width: int


class ShapedDetector:
    """A ``Detector`` of several. The first shape is open from the start; the others open with their first frame."""

    def __init__(
        self, shapes: Sequence[Shaped], open_one: "Callable[[Path], Detector]", *, name: str, sha256: str
    ) -> None:
        """Open the first shape.

        Args:
            shapes: At least one.
            open_one: Opens a model file.
            name: Of the model as a whole.
            sha256: Of the model as a whole.

        Raises:
            FatalError: It cannot be opened.
        """
        self._shapes = tuple(shapes)
        self._open_one = open_one
        self._opened = {shapes[0]: open_one(shapes[0].path)}
        self._info = replace(self._opened[shapes[0]].info, name=name, sha256=sha256)

    @property
    def info(self) -> ModelInfo:
        """What runs; the input is that of the first shape."""
        return self._info

    def detect(self, pixels: Pixels) -> Detections:
        """Find objects in a frame; see ``Detector.detect``."""
        if not self._opened:
            raise ValueError("the detector is closed")
        shape = best_shape(self._shapes, *check_picture(pixels))
        if shape not in self._opened:
            self._opened[shape] = self._open_one(shape.path)
        return self._opened[shape].detect(pixels)

    def close(self) -> None:
        """Release what is open. Closing twice is fine."""
        for detector in self._opened.values():
            detector.close()
        self._opened = {}


def best_shape(shapes: Sequence[Shaped], height: int, width: int) -> Shaped:
    """Return the shape that shows a frame largest; of those about as large, the one with the fewest pixels."""
    scale = {shape: min(shape.height / height, shape.width / width) for shape in shapes}
    largest = max(scale.values())
    return min(
        (shape for shape in shapes if scale[shape] >= _AS_LARGE * largest), key=lambda shape: shape.height * shape.width
    )
