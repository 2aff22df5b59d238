"""Pictures that are at hand as a whole, not in the planes of a decoder."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from agent.decoder.source import Picture
from agent.small import small_size
from agent.types import Image, Small


def drawn(index: int, stream_ns: int | None, draw: Callable[[], Image]) -> Picture:
    """Return a picture that is drawn, or loaded, when it is first asked for, and only then."""
    draw = cache(draw)
    return Picture(index, stream_ns, draw, lambda: small_of(draw()))


def small_of(image: Image) -> Small:
    """Return the small grey picture of a frame."""
    size = small_size(image.shape[1], image.shape[0])
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(smaller, cv2.COLOR_BGR2GRAY), np.uint8)
