"""The model that ships with Hedgerow: its files, inside the installed package or in a checkout beside it.

It comes at two input shapes, each in floating point and, where the model card says that nothing is lost by it, as INT8.
"""

from pathlib import Path

from agent.errors import FatalError

NAME = "orchard-yolo26n"

SHAPES = ((640, 640), (384, 640))
"""Height and width. The agent runs the first, which finds more; the second, for wide pictures, is 40% cheaper."""


def bundled_model_path() -> Path:
    """Return the floating-point model of the first shape.

    Raises:
        FatalError: It is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    places = [folder / file_name(*SHAPES[0]) for folder in (package / "_models", package.parent / "models")]
    for place in places:
        if place.is_file():
            return place
    raise FatalError(f"the bundled model is missing: looked for {' and '.join(str(place) for place in places)}")


def int8_of(path: Path) -> Path | None:
    """Return the INT8 form of a model that is known to be as good: of the bundled one, where it ships with one."""
    if path.name != file_name(*SHAPES[0]):
        return None
    int8 = path.with_name(int8_name(*SHAPES[0]))
    return int8 if int8.is_dir() else None


def file_name(height: int, width: int) -> str:
    """Return how the ONNX file of a shape is called; the square one bears the model's own name."""
    return f"{_stem(height, width)}.onnx"


def int8_name(height: int, width: int) -> str:
    """Return how the folder with the INT8 OpenVINO model of a shape is called."""
    return f"{_stem(height, width)}-int8"


def _stem(height: int, width: int) -> str:
    return NAME if (height, width) == SHAPES[0] else f"{NAME}-{height}x{width}"
