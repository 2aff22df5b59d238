"""The heavy work of an intake, in processes of their own: torch and the calibrator stay out of this one, and a crash of
theirs is one line.

``python -m agent.modelstore.children export WEIGHTS FOLDER HEAD HEIGHTxWIDTH...`` exports weights through ultralytics.
``python -m agent.modelstore.children quantise MODEL FOLDER`` reads inputs as .npy, (N, H, W, 3) uint8 BGR, from its
standard input and writes an INT8 OpenVINO model.
"""

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.detection.model import Head
from agent.errors import FatalError, HedgerowError

_EXPORT_S = 600.0
_QUANTISE_S = 3600.0  # minutes on a small box


def export_weights(weights: Path, folder: Path, shapes: Sequence[tuple[int, int]], *, head: Head = "end2end") -> None:
    """Export weights to ``folder/HEIGHTxWIDTH.onnx`` with fixed shapes.

    Args:
        weights: A ``.pt`` file; the exports are written beside it first.
        folder: Where the exports go.
        shapes: Height and width of the input, pixels.
        head: Which head, where they have both; the raw one needs NMS.

    Raises:
        FatalError: ultralytics is not installed or cannot load or export them; the message says why.
    """
    _run(
        ["export", str(weights), str(folder), head, *(f"{height}x{width}" for height, width in shapes)], b"", _EXPORT_S
    )


def quantise(model: Path, folder: Path, inputs: NDArray[np.uint8]) -> None:
    """Write an INT8 model, calibrated on inputs, as ``folder/model.xml`` and ``.bin``.

    Args:
        model: An ONNX file or OpenVINO folder.
        folder: Made by this.
        inputs: (N, H, W, 3) uint8 BGR, letterboxed to the model's input.

    Raises:
        FatalError: The calibrator is not installed, or cannot do it; the message says why.
    """
    stream = io.BytesIO()
    np.save(stream, inputs)
    _run(["quantise", str(model), str(folder)], stream.getvalue(), _QUANTISE_S)


def _run(arguments: list[str], data: bytes, timeout_s: float) -> None:
    command = [sys.executable, "-P", "-m", "agent.modelstore.children", *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise FatalError(f"{arguments[0]} of {arguments[1]}: no result within {timeout_s:g} s") from None
    if done.returncode < 0:
        raise FatalError(
            f"{arguments[0]} of {arguments[1]}: ended by signal {-done.returncode}; is there enough memory?"
        )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise FatalError(lines[-1] if lines else f"{arguments[0]} of {arguments[1]} failed without a word")


def _export(weights: Path, folder: Path, head: str, shapes: Sequence[str]) -> None:
    from agent.detection.model_file import loading, read_model_file  # noqa: PLC0415 - only the child needs it
    from agent.detection.toolchain import load_yolo  # noqa: PLC0415 - as above

    file = read_model_file(weights)
    with loading(file, "ultralytics", (Exception,)):  # a pickle can raise anything
        for shape in shapes:
            height, width = (int(side) for side in shape.split("x"))
            yolo = load_yolo(weights)
            if yolo.task != "detect":
                raise FatalError(f"model {weights} is made for the task {yolo.task!r}; allowed: 'detect'")
            # nms=False gives the NMS-free head where there is one, the raw head elsewhere; None the raw head always.
            nms = False if head == "end2end" else None
            made = yolo.export(
                format="onnx", imgsz=(height, width), nms=nms, dynamic=False, simplify=False, device="cpu"
            )
            Path(made).rename(folder / f"{shape}.onnx")


def _quantise(model: Path, folder: Path, inputs: NDArray[np.uint8]) -> None:
    from agent.detection.model_file import read_model_file  # noqa: PLC0415 - only the child needs it
    from agent.detection.openvino_backend import load_model  # noqa: PLC0415 - as above
    from agent.modelstore.calibration import calibrate  # noqa: PLC0415 - as above

    file = read_model_file(model)
    calibrate(load_model(file)[0], inputs, folder, file.described)


def _main(arguments: Sequence[str]) -> int:
    from agent.detection.telemetry import forbid_telemetry  # noqa: PLC0415 - only the child needs it

    forbid_telemetry()
    try:
        if arguments[0] == "export":
            _export(Path(arguments[1]), Path(arguments[2]), arguments[3], arguments[4:])
        else:
            _quantise(Path(arguments[1]), Path(arguments[2]), np.load(io.BytesIO(sys.stdin.buffer.read())))
    except HedgerowError as error:
        print(error, file=sys.stderr)  # noqa: T201 - how the child tells its parent
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
