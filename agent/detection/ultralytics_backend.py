"""YOLO through ultralytics itself: any detection weights that it loads. Imported on demand.

Slow and large (230 MB of memory more than OpenVINO); for a model that has not been exported yet.
"""

import os
from typing import Any

import numpy as np

from agent.detection.heads import Thresholds, sound
from agent.detection.letterbox import check_picture
from agent.detection.model import DEFAULT_NMS_IOU, ModelInfo
from agent.detection.model_file import ModelFile, loading
from agent.detection.toolchain import load_yolo
from agent.errors import FatalError
from agent.planes import Pixels, bgr_of
from agent.types import Detections, Image

BACKEND = "ultralytics"

_DEFAULT_SIDE = 640


class UltralyticsDetector:
    """A ``Detector`` that gives what ultralytics' own ``predict`` gives, at the size the model was trained at."""

    def __init__(self, file: ModelFile, thresholds: Thresholds, *, threads: int) -> None:
        """Load the weights and run them once.

        Args:
            file: A ``.pt`` file.
            thresholds: Which detections count.
            threads: CPU threads; 0: one a core, where ultralytics leaves one unused.

        Raises:
            FatalError: The model cannot be used, or ultralytics is not installed; the message says why.
        """
        self._options = {
            "conf": thresholds.min_score,
            "iou": thresholds.nms_iou or DEFAULT_NMS_IOU,
            "max_det": thresholds.max_detections,
            "device": "cpu",
            "verbose": False,
        }
        # A pickle can raise anything, and so does ultralytics: their only common base is Exception.
        with loading(file, BACKEND, (Exception,)):
            self._yolo: Any | None = load_yolo(file.path)
            self._info = _describe(file, self._yolo)
            self._yolo.predict(np.zeros((64, 64, 3), np.uint8), **self._options)
            _use_threads(threads)  # after the first run, which sets ultralytics' own number

    @property
    def info(self) -> ModelInfo:
        """What runs."""
        return self._info

    def detect(self, pixels: Pixels) -> Detections:
        """Find objects in a frame; see ``Detector.detect``."""
        if self._yolo is None:
            raise ValueError("the detector is closed")
        height, width = check_picture(pixels)
        (found,) = self._yolo.predict(_thick_enough(bgr_of(pixels), self._info), **self._options)
        boxes, scores, class_ids = (
            values.numpy() for values in (found.boxes.xyxy, found.boxes.conf, found.boxes.cls.long())
        )
        inside = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
        best_first = np.argsort(-scores, kind="stable")
        return sound(Detections(inside[best_first], scores[best_first], class_ids[best_first]), self._info)

    def close(self) -> None:
        """Let go of the weights. Closing twice is fine."""
        self._yolo = None


def _describe(file: ModelFile, yolo: Any) -> ModelInfo:
    if yolo.task != "detect":
        raise FatalError(f"model {file.path} is made for the task {yolo.task!r}; allowed: 'detect'")
    side = yolo.overrides.get("imgsz") or _DEFAULT_SIDE
    height, width = (side, side) if isinstance(side, int) else (int(side[0]), int(side[-1]))
    head = yolo.model.model[-1]
    return ModelInfo(
        name=file.path.stem,
        path=file.path,
        sha256=file.sha256,
        class_names=tuple(yolo.names[index] for index in range(len(yolo.names))),
        input_height=height,
        input_width=width,
        head="end2end" if getattr(head, "end2end", False) else "raw",
        backend=BACKEND,
        stride=int(yolo.model.stride.max()),
    )


def _thick_enough(image: Image, info: ModelInfo) -> Image:
    """Return the frame, widened with grey where its short side would vanish in the input: ultralytics cannot."""
    longest = max(info.input_height, info.input_width)
    height, width = image.shape[:2]
    least = -(-max(height, width) // longest)  # pixels of the frame in one of the input, rounded up
    if min(height, width) >= least:
        return np.ascontiguousarray(image)
    widened = np.full((max(height, least), max(width, least), 3), 114, np.uint8)
    widened[:height, :width] = image
    return widened


def _use_threads(threads: int) -> None:
    import torch  # noqa: PLC0415 - here with ultralytics only

    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
