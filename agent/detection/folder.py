"""The work behind ``hedgerow detect``: a folder of images in, a file of COCO results out."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import structlog

from agent.detection.detector import Detector
from agent.errors import FatalError, RejectedError
from agent.types import Detections, Image

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FolderResult:
    """What became of a folder."""

    images: int  # looked at
    detections: int  # written
    unreadable: tuple[str, ...]  # images that could not be read, relative to the folder


def detect_folder(
    detector: Detector, folder: Path, out: Path, *, on_progress: Callable[[int, int], None] | None = None
) -> FolderResult:
    """Run a detector over all images in a folder and its sub-folders and write the COCO result format.

    The file is a list of ``{"image_id", "file_name", "category_id", "category_name", "bbox", "score"}``: ``image_id``
    is the place of the image in the sorted list of all of them, from 0, unreadable ones included; ``file_name`` is
    relative to the folder, with ``/``; ``category_id`` is the model's class index; ``bbox`` is x, y, width and height
    in pixels. It appears whole or not at all. An image that cannot be read is logged, counted and passed over.

    Args:
        detector: Its thresholds decide what is written.
        folder: Images are files that end in one of ``IMAGE_SUFFIXES``; hidden ones and linked folders are passed over.
        out: The file to write; replaced where it exists.
        on_progress: Called after each image with how many are done, and of how many.

    Raises:
        FatalError: The folder is missing, cannot be listed or holds no images, or the file cannot be written.
    """
    names = list_images(folder)
    names_of_classes = detector.info.class_names
    written = 0
    unreadable = []
    with _replacing(out) as file:
        file.write("[")
        for index, name in enumerate(names):
            try:
                found = detector.detect(read_image(folder / name))
            except RejectedError as error:
                log.warning("image_unreadable", file=name, reason=str(error))
                unreadable.append(name)
                found = Detections.none()
            for entry in _coco_entries(found, index, name, names_of_classes):
                file.write(",\n" if written else "\n")
                file.write(json.dumps(entry))
                written += 1
            if on_progress is not None:
                on_progress(index + 1, len(names))
        file.write("\n]\n")
    return FolderResult(images=len(names), detections=written, unreadable=tuple(unreadable))


def list_images(folder: Path) -> list[str]:
    """Return the images in a folder and below it, sorted, relative to it and with ``/``.

    Raises:
        FatalError: The folder is missing or cannot be listed, or it holds no images.
    """

    def refuse(error: OSError) -> None:
        raise FatalError(f"cannot list folder {error.filename}: {error.strerror}") from error

    names = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        images = [name for name in files if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")]
        names += [(Path(parent) / name).relative_to(folder).as_posix() for name in images]
    if not names:
        raise FatalError(f"no images in folder {folder}: looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    return sorted(names)


def read_image(path: Path) -> Image:
    """Read an image file as (H, W, 3) uint8 BGR, turned upright as its EXIF data say.

    Raises:
        RejectedError: The file cannot be read or is no image.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise RejectedError(f"cannot read it: {error.strerror}") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:  # a header that claims more pixels than OpenCV allows
        raise RejectedError(f"cannot decode it: {error.err}") from error
    if image is None:
        raise RejectedError("it is not an image, or a broken one")
    return np.asarray(image, np.uint8)


def _coco_entries(found: Detections, image_id: int, name: str, names_of_classes: tuple[str, ...]) -> Iterator[object]:
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True)
    for (x1, y1, x2, y2), score, class_id in rows:
        yield {
            "image_id": image_id,
            "file_name": name,
            "category_id": class_id,
            "category_name": names_of_classes[class_id],
            "bbox": [round(value, 3) for value in (x1, y1, x2 - x1, y2 - y1)],
            "score": round(score, 6),
        }


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """Give a file to write that takes the place of ``path`` at the end, or vanishes if anything goes wrong."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise FatalError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):  # gone after the replacement, or never made
            draft.unlink()
