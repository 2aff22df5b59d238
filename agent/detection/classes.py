"""Which classes a model finds, without running it."""

from collections.abc import Callable
from pathlib import Path

from agent.detection.bundled import bundled_model_path
from agent.detection.detector import Backend, needing_onnxruntime
from agent.detection.model_file import ModelFile, read_model_file
from agent.detection.telemetry import forbid_telemetry


def read_class_names(model: Path | None, *, backend: Backend = "auto") -> tuple[str, ...] | None:
    """Read the names of the classes, by class index, in what a model says of itself.

    Args:
        model: As for ``open_detector``.
        backend: The runtime whose reader is used; ONNX Runtime only where it is named.

    Returns:
        The names. None for weights (.pt): to read them is to run what their maker put in.

    Raises:
        FatalError: The model cannot be read, or does not name its classes; the message names the file and says why.
    """
    file = read_model_file(bundled_model_path() if model is None else model)
    if file.kind == "ultralytics":
        return None
    forbid_telemetry()
    return _READERS.get(backend, _by_openvino)(file)


# Only the runtime that is asked for is imported, as in ``open_detector``.


def _by_openvino(file: ModelFile) -> tuple[str, ...]:
    from agent.detection.openvino_backend import read_names  # noqa: PLC0415 - see above

    return read_names(file)


def _by_onnxruntime(file: ModelFile) -> tuple[str, ...]:
    with needing_onnxruntime():
        from agent.detection.onnxruntime_backend import read_names  # noqa: PLC0415 - see above
    return read_names(file)


_READERS: dict[Backend, Callable[[ModelFile], tuple[str, ...]]] = {"onnxruntime": _by_onnxruntime}
