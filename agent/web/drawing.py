"""Draws what was found into a picture. Pure: pictures and tracks in, a new picture out."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.types import Image, Tracks

LONGEST_SIDE_PX = 960
"""Pictures for the page are at most so large: enough for a phone and a desk, a quarter of the pixels of 1080p."""

_COLOURS = ("#ff8c1a", "#f0489b", "#ffd92e", "#38b6ff", "#b794ff", "#2ee6c8", "#ffffff", "#ff6b57")
"""By class index, wrapping round. No green: the background is foliage."""

_FONT = cv2.FONT_HERSHEY_DUPLEX
_INK = (24, 24, 24)
_PAPER = (245, 245, 245)
_PAD_PX = 3
_CROWD = 16
"""With more boxes than this a label is the number alone, or labels would hide the fruit."""

_Rect = tuple[int, int, int, int]
"""x1, y1, x2, y2 in pixels of the small picture."""


def colour_of(class_id: int) -> str:
    """Return the colour of a class as ``#rrggbb``, the same in the pictures and in the page's legend."""
    return _COLOURS[class_id % len(_COLOURS)]


def name_of(class_id: int, class_names: Sequence[str]) -> str:
    """Return the name of a class, or its number where the model names none."""
    return class_names[class_id] if 0 <= class_id < len(class_names) else str(class_id)


def draw(image: Image, tracks: Tracks, class_names: Sequence[str], *, note: str = "") -> Image:
    """Return a small copy of a picture with a box, class and number for each track.

    Args:
        image: (H, W, 3) uint8 BGR; it is not changed.
        tracks: Boxes in pixels of ``image``.
        class_names: By class index.
        note: Written across the foot of the picture, which is dimmed so that nobody takes it for a live one.

    Returns:
        (h, w, 3) uint8 BGR with the same aspect, neither side above ``LONGEST_SIDE_PX``; never enlarged.
    """
    small, scale = _shrink(image)
    if note:
        small = small // 2 + 20
    corners = np.rint(tracks.boxes * scale).astype(np.int64)
    rectangles = [(int(x1), int(y1), int(x2), int(y2)) for x1, y1, x2, y2 in corners]
    for rectangle, class_id in zip(rectangles, tracks.class_ids, strict=True):
        cv2.rectangle(small, rectangle[:2], rectangle[2:], _bgr(colour_of(int(class_id))), 2)
    _label_all(small, rectangles, tracks, class_names)
    if note:
        _foot(small, note)
    return small


def placeholder(title: str, detail: str) -> Image:
    """Return a picture that says in words why there is none; (540, 960, 3) uint8 BGR."""
    picture: Image = np.full((540, LONGEST_SIDE_PX, 3), (38, 42, 38), np.uint8)
    _centred(picture, title, y=262, size=1.7, colour=(232, 238, 232))
    _centred(picture, detail, y=316, size=1.0, colour=(160, 172, 160))
    return picture


def _shrink(image: Image) -> tuple[Image, float]:
    """Copy, smaller where needed; also return the scale."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
    if scale == 1.0:
        return image.copy(), scale
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _label_all(picture: Image, rectangles: Sequence[_Rect], tracks: Tracks, class_names: Sequence[str]) -> None:
    """Label the boxes where there is room: no label covers another, and in a crowd some boxes go without."""
    taken = np.zeros((0, 4), np.int64)
    size = _text_size(picture)
    for rectangle, class_id, track_id in zip(rectangles, tracks.class_ids, tracks.track_ids, strict=True):
        number = str(int(track_id))
        full = f"{name_of(int(class_id), class_names)} {number}"
        for text in (number,) if len(tracks) > _CROWD else (full, number):
            spot = _free_spot(picture, rectangle, _label_size(text, size), taken)
            if spot is None:
                continue
            _write_label(picture, spot, text, size, _bgr(colour_of(int(class_id))))
            taken = np.vstack([taken, spot])
            break


def _free_spot(picture: Image, box: _Rect, label_size: tuple[int, int], taken: NDArray[np.int64]) -> _Rect | None:
    height, width = picture.shape[:2]
    for x, y in _spots(box, label_size):
        spot = (x, y, x + label_size[0], y + label_size[1])
        inside = x >= 0 and y >= 0 and spot[2] <= width and spot[3] <= height
        if inside and not _overlaps(spot, taken):
            return spot
    return None


def _spots(box: _Rect, label_size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield where a label may stand: above the box, below it, both flush left or right, then inside it."""
    x1, y1, x2, y2 = box
    width, height = label_size
    left, right = x1 - 1, x2 + 2 - width
    yield from ((left, y1 - height), (right, y1 - height), (left, y2 + 1), (right, y2 + 1))
    if x2 - x1 > width and y2 - y1 > height:
        yield (left, y1)


def _overlaps(spot: _Rect, taken: NDArray[np.int64]) -> bool:
    x1, y1, x2, y2 = spot
    return bool(np.any((taken[:, 0] < x2) & (taken[:, 2] > x1) & (taken[:, 1] < y2) & (taken[:, 3] > y1)))


def _label_size(text: str, size: float) -> tuple[int, int]:
    (width, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    (_, height), _ = cv2.getTextSize("0", _FONT, size, 1)
    return width + 2 * _PAD_PX, height + 2 * _PAD_PX


def _write_label(picture: Image, spot: _Rect, text: str, size: float, colour: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = spot
    cv2.rectangle(picture, (x1, y1), (x2 - 1, y2 - 1), colour, cv2.FILLED)
    cv2.putText(picture, text, (x1 + _PAD_PX, y2 - _PAD_PX - 1), _FONT, size, _INK, 1, cv2.LINE_AA)


def _foot(picture: Image, note: str) -> None:
    height, width = picture.shape[:2]
    size = 2.2 * _text_size(picture)  # to be read on a phone, where the picture is a third of its size
    band = min(height, round(52 * size))
    cv2.rectangle(picture, (0, height - band), (width, height), _INK, cv2.FILLED)
    cv2.putText(picture, note, (12, height - round(band * 0.34)), _FONT, size, _PAPER, 1, cv2.LINE_AA)


def _centred(picture: Image, text: str, *, y: int, size: float, colour: tuple[int, int, int]) -> None:
    (width, _), _ = cv2.getTextSize(text, _FONT, size, 1)
    cv2.putText(picture, text, ((picture.shape[1] - width) // 2, y), _FONT, size, colour, 1, cv2.LINE_AA)


def _text_size(picture: Image) -> float:
    """Return the font scale: smaller letters in a small picture, which the page enlarges."""
    height, width = picture.shape[:2]
    return float(np.clip(max(height, width) / LONGEST_SIDE_PX, 0.8, 1.0)) * 0.45


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return blue, green, red
