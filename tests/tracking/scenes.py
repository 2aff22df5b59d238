"""Detections and instants for tests, and the truth of the pan video as detections."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.types import Detections, Instant

BOOT = 3


def seen(*rows: tuple[float, ...]) -> Detections:
    """Rows of x1, y1, x2, y2 and, where wanted, score (0.9) and class (0)."""
    full = [(*row, *(0.9, 0)[len(row) - 4 :]) for row in rows]
    table = np.array(full, np.float64).reshape(-1, 6)
    return Detections(table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64))


def box(x: float, y: float = 100.0, width: float = 40.0, height: float = 60.0) -> tuple[float, float, float, float]:
    """A box by its centre."""
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def at(seconds: float, boot: int = BOOT) -> Instant:
    """An instant on all clocks."""
    return Instant(utc_ns=1_700_000_000_000_000_000, monotonic_ns=round(seconds * 1e9), boot=boot)


@dataclass(frozen=True)
class TrueFrame:
    """One frame of the pan video: boxes (N, 4) and which fruit each is, in all the video."""

    boxes: np.ndarray
    fruit: np.ndarray


@dataclass(frozen=True)
class Pan:
    """A camera passing six apple trees: what is there, by hand."""

    fps: float
    unique_fruit: int
    frames: list[TrueFrame]


def load_pan(shared_data: Path) -> Pan:
    """Read the truth of the pan video."""
    truth = json.loads((shared_data / "video" / "orchard_pan_dev.json").read_text(encoding="utf-8"))
    frames = [
        TrueFrame(
            np.array([row[1:] for row in rows], np.float32).reshape(-1, 4),
            np.array([number * 1000 + row[0] for row in rows], np.int64),
        )
        for number, segment in enumerate(truth["segments"])
        for rows in segment["boxes"]
    ]
    return Pan(truth["fps"], sum(segment["unique_fruit"] for segment in truth["segments"]), frames)


def spoilt(frame: TrueFrame, random: np.random.Generator, *, jitter: float, missed: float) -> TrueFrame:
    """Move each side by a part of its length, normally distributed, and lose some boxes, as a detector does."""
    kept = random.random(len(frame.fruit)) >= missed
    boxes = frame.boxes[kept]
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return TrueFrame((boxes + random.normal(size=boxes.shape) * jitter * sides).astype(np.float32), frame.fruit[kept])


def detections_of(frame: TrueFrame, score: float = 0.9) -> Detections:
    """The true boxes as a detector would give them."""
    n = len(frame.fruit)
    return Detections(frame.boxes, np.full(n, score, np.float32), np.zeros(n, np.int64))


def fruit_of(boxes: np.ndarray, frame: TrueFrame) -> list[int]:
    """Which fruit each reported box is: a tracker reports the very boxes that it was given."""
    numbers = {tuple(box): int(fruit) for box, fruit in zip(frame.boxes.tolist(), frame.fruit, strict=True)}
    return [numbers[tuple(box)] for box in boxes.tolist()]


@dataclass(frozen=True)
class Score:
    """How well ids fit the truth."""

    ids: int
    switches: int  # times that a fruit had another id than when last seen


def score(reports: list[list[tuple[int, int]]]) -> Score:
    """Judge (id, fruit) pairs, frame by frame."""
    last: dict[int, int] = {}
    switches = 0
    for report in reports:
        for track_id, fruit in report:
            switches += last.get(fruit, track_id) != track_id
            last[fruit] = track_id
    return Score(len({track_id for report in reports for track_id, _ in report}), switches)
