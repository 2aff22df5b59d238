"""A walk along a simulated row: a camera of varying speed that stops and goes back, a detector with known faults."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from agent.analytics.row import PassRecord, RowCount
from agent.capture.orchard.scene import Orchard, Truth
from agent.capture.orchard.spec import OrchardSpec
from agent.config import RowConfig
from agent.tracking import ByteTrack, TrackerParams
from agent.types import ANY, Detections, Frame, Instant

FPS = 10
VISIBLE = 0.6  # of a fruit, for the detector to see it and the truth to count it
SEEN_FRAMES = 3  # in which the truth must show it
MISSED, FALSE, JITTER = 0.10, 0.05, 0.05
CLASS_NAMES = ("apple", "cherry", "pear")


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk gave: the truth, the readings of ``row_fruit``, the tracker's ids, and the reports' ``found``."""

    truth: int
    counted: int
    track_ids: int
    reported: int
    length_px: int
    true_length_px: int


def walk(seed: int, *, frames: int = 240, width: int = 640, height: int = 360) -> Walked:
    """Walk along the orchard of a seed and count."""
    orchard = Orchard(OrchardSpec(seed=seed, width=width, height=height, speed=60, fps=FPS))
    rng = np.random.default_rng([seed, 1])
    tracker = ByteTrack(TrackerParams.at(confidence=0.25, frame_interval_s=1 / FPS))
    row = RowCount(RowConfig(), "walk", CLASS_NAMES, record=PassRecord())
    seen: Counter[int] = Counter()
    findings, track_ids, steps = [], 0, list(pace(rng, frames))
    for number, step in enumerate(steps):
        truth = orchard.truth(step)
        seen.update(truth.ids[truth.visible >= VISIBLE].tolist())
        at = Instant(0, number * 10**9 // FPS, 1)
        detections = degraded(truth, rng, width, height)
        track_ids += int(tracker.update(detections, at).fresh.sum())
        findings.append(row.observe(Frame("walk", number, at, orchard.frame(step)), detections))
    findings.append(row.finish(Instant(0, frames * 10**9 // FPS, 1)))
    reports = [event.data for found in findings for event in found.events if event.data["class"] == ANY]
    return Walked(
        truth=sum(times >= SEEN_FRAMES for times in seen.values()),
        counted=sum(measure.name == "row_fruit" for found in findings for measure in found.measures),
        track_ids=track_ids,
        reported=sum(int(report["found"]) for report in reports),
        length_px=sum(int(report["length_px"]) for report in reports),
        true_length_px=width + (max(steps) - min(steps)) * 60 // FPS,
    )


def pace(rng: Generator, frames: int) -> Iterator[int]:
    """Give the orchard's frame for each frame of the camera: it goes 1 to 4 on, rests, or goes up to 1.5 back."""
    place, given = 0.0, 0
    while given < frames:
        speed = float(rng.choice([rng.uniform(1, 4), 0.0, -rng.uniform(0.5, 1.5)], p=[0.7, 0.15, 0.15]))
        for _ in range(min(int(rng.integers(8, 25)), frames - given)):
            place = max(0.0, place + speed)
            given += 1
            yield round(place)


def degraded(truth: Truth, rng: Generator, width: int, height: int) -> Detections:
    """Return the boxes of the visible fruit with some missed, some made up, and all trembling."""
    kept = (truth.visible >= VISIBLE) & (rng.random(len(truth.ids)) >= MISSED)
    boxes = truth.boxes[kept]
    boxes = boxes + rng.normal(0, JITTER, boxes.shape) * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    false = rng.binomial(len(boxes), FALSE)
    sides = rng.uniform(60, 88, false) * height / 720
    x, y = rng.uniform(0, width - sides), rng.uniform(0, height - sides)
    boxes = np.concatenate([boxes, np.stack([x, y, x + sides, y + sides], axis=1)]).astype(np.float32)
    class_ids = np.concatenate([truth.class_ids[kept], rng.integers(0, len(CLASS_NAMES), false)])
    return Detections(boxes, rng.uniform(0.3, 0.95, len(boxes)).astype(np.float32), class_ids.astype(np.int64))
