"""What is known of an installed model, kept as ``model.json`` in its folder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.errors import FatalError

MANIFEST = "model.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Variant:
    """The model at one input shape: a file or folder that detection opens."""

    file: str  # relative to the model's folder
    sha256: str
    height: int  # pixels of the input
    width: int
    precision: str  # as it runs on the box that installed it: f32, bf16, f16 or int8


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far boxes of the INT8 model are those of the float model, on frames that did not calibrate it."""

    frames: int
    float_boxes: int
    int8_boxes: int
    pairs: int  # of one class, with an IoU of at least one half
    mean_iou: float  # of the pairs

    @property
    def share(self) -> float:
        """Share of all boxes that have a partner (F1), in [0, 1]; 1 where neither sees anything."""
        boxes = self.float_boxes + self.int8_boxes
        return 2 * self.pairs / boxes if boxes else 1.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """An installed model."""

    name: str
    sha256: str  # of what was given
    origin: str  # where it came from, in the words of whoever added it
    licence: str  # as the file says; empty where it says nothing
    classes: tuple[str, ...]
    variants: tuple[Variant, ...]
    added_utc_ms: int
    int8: Agreement | None = None  # None: it was not calibrated, or did not agree

    def to_json(self) -> bytes:
        """Return the file's content."""
        return json.dumps({"version": _VERSION, **asdict(self)}, indent=1).encode()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an installed model.

    Raises:
        FatalError: It is missing, cannot be read or is not what was written; the message names the file.
    """
    path = folder / MANIFEST
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return _manifest(entries)
    except OSError as error:
        raise FatalError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FatalError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove this model and add it again"
        ) from None


def _manifest(entries: dict[str, Any]) -> Manifest:
    if entries.pop("version") != _VERSION:
        raise ValueError("written by another version")
    agreement = entries.pop("int8")
    variants = tuple(Variant(**variant) for variant in entries.pop("variants"))
    if not variants:
        raise ValueError("no variants")
    classes = tuple(str(name) for name in entries.pop("classes"))
    return Manifest(
        classes=classes, variants=variants, int8=None if agreement is None else Agreement(**agreement), **entries
    )
