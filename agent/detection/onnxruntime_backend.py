"""YOLO on ONNX Runtime: the extra ``hedgerow[onnxruntime]``. Imported on demand."""

import copy
import os
from typing import Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as states

from agent.detection.heads import Thresholds, decode
from agent.detection.letterbox import Letterbox
from agent.detection.model import Metadata, ModelInfo, Shape, describe, input_size, read_metadata
from agent.detection.model_file import ModelFile, loading
from agent.errors import FatalError
from agent.planes import Pixels
from agent.types import Detections

BACKEND = "onnxruntime"

_ERRORS = (
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NoModel,
    states.NotImplemented,
    states.RuntimeException,
)
"""What ONNX Runtime raises for a model that it cannot run; their only common base is Exception."""

_ELEMENT_TYPES: dict[str, type[np.floating]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxRuntimeDetector:
    """A ``Detector`` on ONNX Runtime's CPU provider."""

    def __init__(self, file: ModelFile, thresholds: Thresholds, *, threads: int, count: int = 1) -> None:
        """Load the model and run it once.

        Args:
            file: The model.
            thresholds: Which detections count.
            threads: CPU threads; 0 leaves it to ONNX Runtime.
            count: Detectors on it that are to run at a time, this one and those of ``another``; they share the threads.

        Raises:
            FatalError: The model cannot be used; the message says why.
        """
        self._thresholds = thresholds
        with loading(file, BACKEND, _ERRORS):
            self._session: Any | None = None
            threads_each = max(1, (threads or len(os.sched_getaffinity(0))) // count) if count > 1 else threads
            self._session, metadata, size = _load(file, threads_each)
            self._letterbox = Letterbox(*size)
            node = self._session.get_inputs()[0]
            self._input_name = node.name
            self._blob = np.zeros((1, 3, *size), _element_type(file, node.type))
            outputs = self._session.run(None, {self._input_name: self._blob})  # shows the real output shapes
        shapes = [output.shape for output in outputs]
        self._info = describe(
            file, metadata, size=size, outputs=shapes, backend=BACKEND, precision=_precision(file, node.type)
        )

    @property
    def info(self) -> ModelInfo:
        """What runs."""
        return self._info

    def another(self) -> Self:
        """Return one more on the same session, which runs for several threads at a time, with an input of its own."""
        other = copy.copy(self)
        other._letterbox = Letterbox(self._info.input_height, self._info.input_width)  # noqa: SLF001  one of us
        other._blob = np.zeros_like(self._blob)  # noqa: SLF001
        return other

    def detect(self, pixels: Pixels) -> Detections:
        """Find objects in a frame; see ``Detector.detect``."""
        if self._session is None:
            raise ValueError("the detector is closed")
        placement = self._letterbox.fill(pixels)
        _to_planes(self._letterbox.canvas[0], self._blob[0])
        (output,) = self._session.run(None, {self._input_name: self._blob})
        return decode(output, self._info, self._thresholds, placement)

    def close(self) -> None:
        """Release the runtime's memory and threads. Closing twice is fine."""
        self._session = None


def read_names(file: ModelFile) -> tuple[str, ...]:
    """Return the names of a model's classes, without running it.

    Raises:
        FatalError: ONNX Runtime cannot load it, or it does not name its classes.
    """
    with loading(file, BACKEND, _ERRORS):
        entries = _open_session(file, 1, {}).get_modelmeta().custom_metadata_map
        return read_metadata(file.path, entries).class_names


def _load(file: ModelFile, threads: int) -> tuple[Any, Metadata, tuple[int, int]]:
    """Open a session, and once more where the file leaves lengths open: they are faster fixed."""
    session = _open_session(file, threads, {})
    metadata = read_metadata(file.path, session.get_modelmeta().custom_metadata_map)
    shapes = [node.shape for node in session.get_inputs()]
    size = input_size(file.path, [_shape(shape) for shape in shapes], metadata)
    named = {name: length for name, length in zip(shapes[0], (1, 3, *size), strict=True) if isinstance(name, str)}
    return (_open_session(file, threads, named) if named else session), metadata, size


def _open_session(file: ModelFile, threads: int, lengths: dict[str, int]) -> Any:
    """Create a session; ``lengths`` are those of the dimensions that the file only names."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Spinning threads wait for the next frame by burning the CPU: 127 instead of 72 ms of CPU a frame at 5 fps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, length in lengths.items():
        options.add_free_dimension_override_by_name(name, length)
    return onnxruntime.InferenceSession(file.data, options, providers=["CPUExecutionProvider"])


def _to_planes(canvas: NDArray[np.uint8], planes: NDArray[Any]) -> None:
    """Write BGR bytes (H, W, 3) as RGB planes (3, H, W) in [0, 1]; four times faster than cv2.dnn.blobFromImage."""
    for plane, channel in enumerate((2, 1, 0)):
        np.divide(canvas[:, :, channel], np.float32(255), out=planes[plane], casting="same_kind")


def _element_type(file: ModelFile, name: str) -> type[np.floating]:
    if name not in _ELEMENT_TYPES:
        raise FatalError(f"model {file.path} takes {name}; allowed: {', '.join(_ELEMENT_TYPES)}")
    return _ELEMENT_TYPES[name]


def _precision(file: ModelFile, element: str) -> str:
    """Tell what it computes in; the session does not say, but names of operators stand as they are in the file."""
    if b"DequantizeLinear" in file.data:
        return "int8"
    return "f16" if element == "tensor(float16)" else "f32"


def _shape(shape: list[int | str | None]) -> Shape:
    return [size if isinstance(size, int) else None for size in shape]
