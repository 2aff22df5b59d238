"""A folder of images, or one image, as a recording."""

from pathlib import Path

import cv2
import numpy as np

from agent.capture.drawn import drawn
from agent.decoder.source import BrokenError, Picture, UnauthorisedError, UnreachableError
from agent.types import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
"""In lower case."""


class ImageSource:
    """Images in the order of their names, so many a second."""

    def __init__(self, path: Path, *, fps: float) -> None:
        """Remember where to look.

        Args:
            path: A folder, or one image.
            fps: How many images make a second of the recording.
        """
        self._path, self._step_ns = path, round(1_000_000_000 / fps)
        self._names: list[Path] = []
        self._next = self._index = self._skipped = 0

    @property
    def recorded(self) -> bool:
        """Always: images wait for their reader."""
        return True

    @property
    def skipped(self) -> int:
        """Images that could not be read."""
        return self._skipped

    def open(self) -> None:
        """List the images. Raises SourceError."""
        try:
            found = self._path.iterdir() if self._path.is_dir() else iter([self._path])
            self._names = sorted(name for name in found if name.suffix.lower() in IMAGE_SUFFIXES)
        except PermissionError:
            raise UnauthorisedError(f"{self._path}: permission denied") from None
        except OSError as error:
            raise UnreachableError(f"{self._path}: {error.strerror}") from None
        if not self._names:
            raise BrokenError(f"{self._path}: holds no .jpg or .png image")
        self._next = self._index = 0

    def read(self, _not_before_ns: int | None = None, /) -> Picture | None:
        """Return the next image that can be read, or None after the last. Raises SourceError."""
        while self._next < len(self._names):
            image = _load(self._names[self._next])
            self._next += 1
            if image is not None:
                return self._picture(image)
            self._skipped += 1
        if self._index == 0:
            raise BrokenError(f"{self._path}: none of its {len(self._names)} images can be read")
        return None

    def close(self) -> None:
        """Forget the list."""
        self._names = []

    def _picture(self, image: Image) -> Picture:
        index, self._index = self._index, self._index + 1
        return drawn(index, index * self._step_ns, lambda: image)


def _load(path: Path) -> Image | None:
    """Return an image as BGR, or None where it cannot be read or decoded."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)
