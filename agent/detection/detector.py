"""The room's door: what a detector is, and how one is opened."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from agent.detection.bundled import bundled_model_path, int8_of
from agent.detection.choice import BACKENDS, INT8, choose_backend, installed_backends
from agent.detection.heads import Thresholds
from agent.detection.model import ModelInfo
from agent.detection.model_file import KIND_NAMES, ModelFile, read_model_file
from agent.detection.telemetry import forbid_telemetry
from agent.errors import FatalError
from agent.planes import Pixels
from agent.types import Detections

Backend = Literal["auto", "openvino", "onnxruntime", "ultralytics"]

_MOST_AT_A_TIME = 4  # detectors; each holds what lies between the layers of the model, some 50 MB


class Detector(Protocol):
    """Finds objects in frames. It writes into memory of its own, so it has one owner, who calls from one thread."""

    @property
    def info(self) -> ModelInfo:
        """What runs."""
        ...

    def detect(self, pixels: Pixels) -> Detections:
        """Find objects in a frame.

        Args:
            pixels: (H, W, 3) uint8 BGR, or planes, of any size; only read.

        Returns:
            Boxes in pixels of the frame, clipped to it, best score first. The arrays belong to the caller.

        Raises:
            ValueError: No such picture, or the detector is closed.
            FatalError: The model found a class that it does not name.
        """
        ...

    def close(self) -> None:
        """Release memory and threads. Closing twice is fine."""
        ...


def open_detector(
    model: Path | None,
    *,
    backend: Backend = "auto",
    min_score: float = 0.1,
    max_detections: int = 300,
    nms_iou: float | None = None,
    threads: int = 0,
    memory: Path | None = None,
) -> Detector:
    """Load a YOLO model and run it once, so that the first frame finds it ready.

    It takes all cores for a frame, which is soon done. ``open_detectors`` is for many frames that lie ready.

    Args:
        model: An ONNX file, a folder with an OpenVINO model, or weights (.pt); None is the bundled model.
        backend: The runtime; "auto" is the best for this model on this box, see ``memory``.
        min_score: Only detections that score more; in [0, 1).
        max_detections: At most so many in a frame, the best.
        nms_iou: For models whose head needs NMS: boxes of one class that overlap more are one object; in (0, 1]. None
            is what the model says of itself, or 0.7.
        threads: CPU threads; 0 leaves it to the runtime.
        memory: Folder that remembers what ``BackendTrials`` measured; where nothing is known, the usual winner runs.

    Raises:
        FatalError: The model or the runtime cannot be used; the message names the file and says why.
        ValueError: A threshold is out of range.
    """
    thresholds = Thresholds(min_score=min_score, max_detections=max_detections, nms_iou=nms_iou)
    file = read_model_file(bundled_model_path() if model is None else model)
    chosen = _choose(file, memory, threads) if backend == "auto" else backend
    return _open(file, chosen, thresholds, threads=threads, count=1)[0]


def open_detectors(model: Path | None, *, backend: Backend = "auto", min_score: float = 0.1) -> list[Detector]:
    """Load a YOLO model once, for several frames at a time: more of them a second, each of them later.

    Args:
        model: As for ``open_detector``.
        backend: The runtime; "auto" is the usual winner.
        min_score: Only detections that score more; in [0, 1).

    Returns:
        Detectors that give what ``open_detector``'s gives, one a core and at most four, each for one thread; a single
        one where the runtime spreads each frame over the cores anyway. Close each.

    Raises:
        FatalError: The model or the runtime cannot be used; the message names the file and says why.
        ValueError: ``min_score`` is out of range.
    """
    thresholds = Thresholds(min_score=min_score, max_detections=300, nms_iou=None)
    file = read_model_file(bundled_model_path() if model is None else model)
    chosen = _choose(file, None, 0) if backend == "auto" else backend
    return _open(file, chosen, thresholds, threads=0, count=min(_MOST_AT_A_TIME, len(os.sched_getaffinity(0))))


def _open(file: ModelFile, chosen: str, thresholds: Thresholds, *, threads: int, count: int) -> list[Detector]:
    if chosen == INT8 and (int8 := int8_of(file.path)) is not None:
        file, chosen = read_model_file(int8), "openvino"
    if chosen not in BACKENDS[file.kind]:
        raise FatalError(
            f"model {file.path} is an {KIND_NAMES[file.kind]}, which {chosen} cannot run; allowed: auto, "
            f"{', '.join(BACKENDS[file.kind])}"
        )
    forbid_telemetry()
    return _OPENERS[chosen](file, thresholds, threads, count)


def _choose(file: ModelFile, memory: Path | None, threads: int) -> str:
    installed = installed_backends(file.kind)
    if memory is None or not installed:
        return (installed or BACKENDS[file.kind])[0]  # where none is, opening it says what to install
    return choose_backend(file, memory, threads=threads)


# Only the runtime that is chosen is imported, and only after its telemetry is shut out.


def _open_openvino(file: ModelFile, thresholds: Thresholds, threads: int, count: int) -> list[Detector]:
    from agent.detection.openvino_backend import OpenVinoDetector  # noqa: PLC0415 - see above

    first = OpenVinoDetector(file, thresholds, threads=threads, count=count)
    return [first, *(first.another() for _ in range(count - 1))]


def _open_onnxruntime(file: ModelFile, thresholds: Thresholds, threads: int, count: int) -> list[Detector]:
    with needing_onnxruntime():
        from agent.detection.onnxruntime_backend import OnnxRuntimeDetector  # noqa: PLC0415 - see above
    first = OnnxRuntimeDetector(file, thresholds, threads=threads, count=count)
    return [first, *(first.another() for _ in range(count - 1))]


@contextmanager
def needing_onnxruntime() -> Iterator[None]:
    """Turn the absence of ONNX Runtime inside into one line. Raises FatalError."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise
        raise FatalError("backend onnxruntime is not installed; pip install 'hedgerow[onnxruntime]'") from None


def _open_ultralytics(file: ModelFile, thresholds: Thresholds, threads: int, _count: int) -> list[Detector]:
    from agent.detection.ultralytics_backend import UltralyticsDetector  # noqa: PLC0415 - see above

    return [UltralyticsDetector(file, thresholds, threads=threads)]  # its predictor is one, with state


_OPENERS = {"openvino": _open_openvino, "onnxruntime": _open_onnxruntime, "ultralytics": _open_ultralytics}
