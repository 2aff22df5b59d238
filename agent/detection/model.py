"""What a YOLO model says of itself, checked."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.detection.model_file import ModelFile
from agent.errors import FatalError
from agent.types import ANY

Head = Literal["end2end", "raw"]
"""end2end: rows of (x1, y1, x2, y2, score, class), NMS-free. raw: columns of (cx, cy, w, h, score per class)."""

Shape = Sequence[int | None]
"""A tensor's shape; None is a dimension that the file leaves open."""

DEFAULT_NMS_IOU = 0.7
"""That of ultralytics."""

NMS_IOU = "nms_iou"
"""Entry of the metadata, ours: the overlap at which NMS finds most with this model."""

_DEFAULT_SIZE = (640, 640)
_DEFAULT_STRIDE = 32
_LONGEST_SIDE = 4096  # pixels; beyond it a slip, or a file that is to take all memory
_LONGEST_NAME = 256  # characters; the wire and the databases take no more


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What runs: which file, what it finds, and on which runtime."""

    name: str
    path: Path
    sha256: str  # of the file, or of all files of an OpenVINO model; hexadecimal
    class_names: tuple[str, ...]  # by class index
    input_height: int  # pixels
    input_width: int
    head: Head
    backend: str
    stride: int  # pixels
    precision: str = "f32"  # what it computes in: f32, f16, bf16 or int8
    licence: str = ""  # as the file says
    nms_iou: float = DEFAULT_NMS_IOU  # raw head: boxes of one class that overlap more are one object; in (0, 1]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a model exported by ultralytics says of itself."""

    class_names: tuple[str, ...]
    stride: int
    size: tuple[int, int]  # height, width: for models that leave their input open
    licence: str
    nms_iou: float


def read_metadata(path: Path, entries: Mapping[str, str]) -> Metadata:
    """Check and convert the metadata that ultralytics writes into an export, where values are Python literals.

    Raises:
        FatalError: It is no detection model, or it does not name its classes.
    """
    task = entries.get("task", "detect")
    if task != "detect":
        raise FatalError(f"model {path} is made for the task {task!r}; allowed: 'detect'")
    return Metadata(
        class_names=_class_names(path, entries.get("names")),
        stride=_stride(path, entries.get("stride")),
        size=_size(path, entries.get("imgsz")),
        licence=entries.get("license", ""),
        nms_iou=_nms_iou(path, entries.get(NMS_IOU)),
    )


def input_size(path: Path, inputs: Sequence[Shape], metadata: Metadata) -> tuple[int, int]:
    """Return height and width of the model's one input, which is (1, 3, height, width).

    A size that the file leaves open becomes the one it was exported at, since both runtimes are faster on a fixed one.

    Raises:
        FatalError: The model takes something else than one RGB image.
    """
    shape = inputs[0] if len(inputs) == 1 else ()
    if len(shape) != 4 or shape[0] not in {1, None} or shape[1] not in {3, None}:
        found = ", ".join(_shape_text(shape) for shape in inputs)
        raise FatalError(f"model {path} takes {found}; allowed: one input of shape (1, 3, height, width)")
    height, width = shape[2] or metadata.size[0], shape[3] or metadata.size[1]
    if max(height, width) > _LONGEST_SIDE:
        raise FatalError(f"model {path} takes {width}x{height} pixels; allowed: up to {_LONGEST_SIDE} a side")
    return height, width


def describe(
    file: ModelFile,
    metadata: Metadata,
    *,
    size: tuple[int, int],
    outputs: Sequence[Shape],
    backend: str,
    precision: str,
) -> ModelInfo:
    """Put together what is known of a loaded model.

    Args:
        file: The file it came from.
        metadata: What the file says of itself.
        size: Input height and width, pixels.
        outputs: Shape of each output, as seen when it ran.
        backend: Name of the runtime.
        precision: What it computes in.

    Raises:
        FatalError: The outputs are those of no known head.
    """
    return ModelInfo(
        name=file.path.stem,
        path=file.path,
        sha256=file.sha256,
        class_names=metadata.class_names,
        input_height=size[0],
        input_width=size[1],
        head=_recognise_head(file.path, outputs, len(metadata.class_names)),
        backend=backend,
        stride=metadata.stride,
        precision=precision,
        licence=metadata.licence,
        nms_iou=metadata.nms_iou,
    )


def _recognise_head(path: Path, outputs: Sequence[Shape], classes: int) -> Head:
    """Tell the head by its shape: the metadata's ``end2end`` is false where NMS was built in at export."""
    shape = outputs[0] if len(outputs) == 1 else ()
    if len(shape) == 3 and shape[0] == 1:
        if shape[2] == 6:
            return "end2end"
        if shape[1] == 4 + classes:
            return "raw"
    found = ", ".join(_shape_text(shape) for shape in outputs)
    raise FatalError(
        f"model {path} names {classes} classes and gives {found}; allowed: (1, N, 6) or (1, {4 + classes}, anchors)"
    )


def _class_names(path: Path, text: str | None) -> tuple[str, ...]:
    if text is None:
        raise FatalError(f"model {path} does not name its classes: its metadata has no 'names'")
    names = _literal(text)
    if not isinstance(names, dict) or not names or set(names) != set(range(len(names))):
        raise FatalError(f"model {path}: metadata 'names' is {text[:80]!r}; expected a dict from 0, 1, ... to names")
    if not all(isinstance(name, str) and name for name in names.values()):
        raise FatalError(f"model {path}: metadata 'names' is {text[:80]!r}; expected a name for each class")
    for name in names.values():
        if name == ANY or len(name) > _LONGEST_NAME or not name.isprintable():
            raise FatalError(
                f"model {path}: metadata 'names' has {name[:80]!r}; allowed: up to {_LONGEST_NAME} printable "
                f"characters, and not {ANY!r}, which stands for all classes"
            )
    return tuple(names[index] for index in range(len(names)))


def _stride(path: Path, text: str | None) -> int:
    stride = _DEFAULT_STRIDE if text is None else _literal(text)
    if not isinstance(stride, int) or stride < 1:
        raise FatalError(f"model {path}: metadata 'stride' is {text!r}; expected a positive number of pixels")
    return stride


def _nms_iou(path: Path, text: str | None) -> float:
    limit = DEFAULT_NMS_IOU if text is None else _literal(text)
    if not isinstance(limit, float | int) or not 0 < limit <= 1:
        raise FatalError(f"model {path}: metadata {NMS_IOU!r} is {text!r}; expected a number above 0, at most 1")
    return float(limit)


def _size(path: Path, text: str | None) -> tuple[int, int]:
    match _DEFAULT_SIZE if text is None else _literal(text):
        case (int(height), int(width)) | [int(height), int(width)] if height > 0 and width > 0:
            return height, width
        case int(side) if side > 0:
            return side, side
    raise FatalError(f"model {path}: metadata 'imgsz' is {text!r}; expected [height, width] in pixels")


def _literal(text: str) -> object:
    """Return the Python literal in a text, or None: whoever asks refuses None as any other wrong value."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # all that its documentation lists
        return None


def _shape_text(shape: Shape) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"
