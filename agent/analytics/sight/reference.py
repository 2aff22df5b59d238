"""Where a camera looked, and how far from it it looks now."""

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.files import write_atomically
from agent.small import SMALL_PX
from agent.types import Small

_SMOOTH_PX = 1.5
_LEAST_GRADIENT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A picture of the view, and how far it had already crept (right, down) from the first one, in small pixels.

    The picture is renewed as the seasons change it; what it had crept is carried on, or slow creeping would never show.
    """

    small: Small
    right: float = 0.0
    down: float = 0.0


@dataclass(frozen=True, slots=True)
class Registration:
    """How a picture lies on another: its content shifted so far, in small pixels; and how well they match, 0 to 1.

    Measured on photographs of trees: of one view in other light, with noise, blur, or a third of it hidden, the match
    is above 0.55, shifted by 30% of the width above 0.3; of two views it is below 0.08.
    """

    right: float
    down: float
    match: float


def register(reference: Small, small: Small) -> Registration:
    """Find the shift between two pictures of one shape, by phase correlation of their edges.

    Edges, since light changes them little.

    Source: Kuglin and Hines, The Phase Correlation Image Alignment Method, 1975.
    """
    window = cv2.createHanningWindow((small.shape[1], small.shape[0]), cv2.CV_32F)
    (right, down), match = cv2.phaseCorrelate(_edges(reference), _edges(small), window)
    return Registration(right, down, match)


def _edges(small: Small) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(small.astype(np.float32), (0, 0), _SMOOTH_PX)
    edges = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    mean = float(edges.mean())
    return np.asarray(edges / max(mean, _LEAST_GRADIENT) - 1, np.float32)


def load_reference(path: Path) -> Reference | None:
    """Return the reference that a file holds; None where there is no file, or none that can be used."""
    try:
        with np.load(path, allow_pickle=False) as data:
            small, crept = data["small"], data["crept"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    usable = small.ndim == 2 and small.dtype == np.uint8 and 0 < min(small.shape) <= max(small.shape) <= SMALL_PX
    if not (usable and crept.shape == (2,) and np.isfinite(crept).all()):
        return None
    return Reference(small, float(crept[0]), float(crept[1]))


def save_reference(path: Path, reference: Reference) -> None:
    """Store a reference whole or not at all, power cut or not.

    Raises:
        OSError: The folder cannot be written, or the disk is full; what was stored before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = BytesIO()
    np.savez_compressed(content, small=reference.small, crept=np.array([reference.right, reference.down]))
    write_atomically(path, content.getvalue())
