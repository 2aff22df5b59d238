"""Small pictures of scenes in which nothing happens, or something does, and what a gate makes of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from agent.motion import MotionGate

SHAPE = (180, 320)
FPS = 5
_FIELD = np.random.default_rng(0).normal(0, 1, (600, 800)).astype(np.float32)


def ground(seed: int = 1) -> np.ndarray:
    """Blurred noise of mean 110: edges and flat parts, as in a landscape. (h, w) float32."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 1, SHAPE).astype(np.float32)
    blurred = cv2.GaussianBlur(coarse, (0, 0), 6)
    return 110 + 35 * blurred / blurred.std()


def noisy(scene: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Add a sensor's noise, cut from a larger field at a random place: drawing it anew would take all the time."""
    x, y = rng.integers(0, _FIELD.shape[1] - SHAPE[1]), rng.integers(0, _FIELD.shape[0] - SHAPE[0])
    noise = sigma * _FIELD[y : y + SHAPE[0], x : x + SHAPE[1]]
    return np.clip(scene + noise, 0, 255).astype(np.uint8)


def rainy(scene: np.ndarray, rng: np.random.Generator, drops: int = 250) -> np.ndarray:
    """Bright streaks at random places, new in each picture."""
    wet = scene.copy()
    for x, y in rng.integers((0, 0), (SHAPE[1], SHAPE[0]), (drops, 2)):
        cv2.line(wet, (int(x), int(y)), (int(x) + 2, int(y) + 9), float(min(255, wet[y, x] + 60)), 1)
    return wet


def with_square(scene: np.ndarray, x: int, *, y: int = 80, side: int = 14, grey: float = 20) -> np.ndarray:
    held = scene.copy()
    held[y : y + side, x : x + side] = grey
    return held


def opened(gate: MotionGate, picture: Callable[[int], np.ndarray], frames: range) -> list[int]:
    """Which frames the gate lets through, shown at FPS."""
    return [number for number in frames if gate.look(picture(number), number * 10**9 // FPS)]


def small_frames(path: Path) -> Iterator[np.ndarray]:
    """Each frame of a video as its small luma."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.reformat(width=320, height=180, format="gray").to_ndarray(), np.uint8)
