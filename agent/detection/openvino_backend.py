"""YOLO on OpenVINO: the base's runtime, because it was the fastest on every box measured. Imported on demand."""

import copy
import os
from typing import Self

import openvino as ov
from openvino.preprocess import ColorFormat, PrePostProcessor

from agent.detection.heads import Thresholds, decode
from agent.detection.letterbox import Letterbox
from agent.detection.model import Metadata, ModelInfo, Shape, describe, input_size, read_metadata
from agent.detection.model_file import ModelFile, loading
from agent.planes import Pixels
from agent.types import Detections

BACKEND = "openvino"


class OpenVinoDetector:
    """A ``Detector`` on OpenVINO's CPU device."""

    def __init__(self, file: ModelFile, thresholds: Thresholds, *, threads: int, count: int = 1) -> None:
        """Load, compile and run the model once.

        Args:
            file: The model.
            thresholds: Which detections count.
            threads: CPU threads; 0 leaves it to OpenVINO.
            count: Detectors on it that are to run at a time, this one and those of ``another``; they share the threads.

        Raises:
            FatalError: The model cannot be used; the message says why.
        """
        self._thresholds = thresholds
        with loading(file, BACKEND, (RuntimeError,)):  # the only type that OpenVINO raises
            model, metadata, size = load_model(file)
            compiled = _compile(model, threads, count)
            self._letterbox, request = _ready(compiled, size)
        self._request: ov.InferRequest | None = request
        outputs = [list(tensor.shape) for tensor in request.output_tensors]
        precision = "int8" if _is_quantised(model) else compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        self._info = describe(file, metadata, size=size, outputs=outputs, backend=BACKEND, precision=precision)

    @property
    def info(self) -> ModelInfo:
        """What runs."""
        return self._info

    def another(self) -> Self:
        """Return one more on the same compiled model, with an input of its own."""
        if self._request is None:
            raise ValueError("the detector is closed")
        other = copy.copy(self)
        size = self._info.input_height, self._info.input_width
        other._letterbox, other._request = _ready(self._request.get_compiled_model(), size)  # noqa: SLF001  one of us
        return other

    def detect(self, pixels: Pixels) -> Detections:
        """Find objects in a frame; see ``Detector.detect``."""
        if self._request is None:
            raise ValueError("the detector is closed")
        placement = self._letterbox.fill(pixels)
        self._request.infer()
        return decode(self._request.get_output_tensor().data, self._info, self._thresholds, placement)

    def close(self) -> None:
        """Release the runtime's memory and threads. Closing twice is fine."""
        self._request = None


def read_names(file: ModelFile) -> tuple[str, ...]:
    """Return the names of a model's classes, without compiling it.

    Raises:
        FatalError: OpenVINO cannot read it, or it is no detection model that names its classes.
    """
    with loading(file, BACKEND, (RuntimeError,)):
        _, metadata, _ = load_model(file)
        return metadata.class_names


def load_model(file: ModelFile) -> tuple[ov.Model, Metadata, tuple[int, int]]:
    """Read a model, and fix a size that it leaves open.

    Returns:
        The model, what it says of itself, and height and width of its input.

    Raises:
        FatalError: It is no detection model of one image.
        RuntimeError: OpenVINO cannot read it.
    """
    model = ov.Core().read_model(file.data, file.weights)
    metadata = read_metadata(file.path, file.described or _framework_entries(model))
    size = input_size(file.path, [_shape(node.partial_shape) for node in model.inputs], metadata)
    model.reshape([1, 3, *size])
    return model, metadata, size


def _framework_entries(model: ov.Model) -> dict[str, str]:
    """Return the metadata of the ONNX file that a model was made from, which OpenVINO keeps."""
    entries = model.get_rt_info()["framework"] if model.has_rt_info("framework") else {}
    return {key: value.astype(str) for key, value in entries.items()}


def _is_quantised(model: ov.Model) -> bool:
    return any(node.get_type_name() == "FakeQuantize" for node in model.get_ops())


def _ready(compiled: ov.CompiledModel, size: tuple[int, int]) -> tuple[Letterbox, ov.InferRequest]:
    """Return a canvas and a request that reads it, run once: that is slow, and shows the real output shapes."""
    letterbox, request = Letterbox(*size), compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(letterbox.canvas, shared_memory=True))
    request.infer()
    return letterbox, request


def _compile(model: ov.Model, threads: int, count: int) -> ov.CompiledModel:
    """Compile for ``count`` frames at a time. Colour order, scale and layout become part of the graph: 1 ms less."""
    graph = PrePostProcessor(model)
    graph.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    graph.input().model().set_layout(ov.Layout("NCHW"))
    graph.input().preprocess().convert_color(ColorFormat.RGB).convert_element_type(ov.Type.f32).scale(255.0)
    options: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
    if count > 1:  # a thread that need not wait for another costs a quarter less, most of all where cores are shared
        options = {"NUM_STREAMS": count, "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0))}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    return ov.Core().compile_model(graph.build(), "CPU", options)


def _shape(shape: ov.PartialShape) -> Shape:
    if shape.rank.is_dynamic:
        return ()
    return [None if size.is_dynamic else size.get_length() for size in shape]
