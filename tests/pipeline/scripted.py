"""A detector that sees what a test says, so that a test can tell what must come out."""

from pathlib import Path

import numpy as np

from agent.detection import ModelInfo
from agent.types import Detections, Frame, Image, Instant

INFO = ModelInfo(
    name="scripted",
    path=Path("scripted.onnx"),
    sha256="0" * 64,
    class_names=("apple", "pear"),
    input_height=64,
    input_width=64,
    head="end2end",
    backend="test",
    stride=32,
)


class ScriptedDetector:
    """Finds one apple in each picture; raises in a picture whose first pixel says so."""

    def __init__(self, error: type[Exception] = ValueError) -> None:
        self.info = INFO
        self._error = error

    def detect(self, image: Image) -> Detections:
        if image[0, 0, 0]:
            raise self._error("this picture is bad")
        return Detections(np.float32([[10, 10, 40, 40]]), np.float32([0.9]), np.int64([0]))

    def close(self) -> None:
        pass


def frame_of(camera: str, index: int, *, bad: bool = False) -> Frame:
    """A small picture, taken at ten frames a second."""
    image = np.full((48, 64, 3), 255 if bad else 0, np.uint8)
    return Frame(camera, index, Instant(10**18 + index * 10**8, index * 10**8, 1), image)
