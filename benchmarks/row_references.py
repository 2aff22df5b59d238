"""How ultralytics counts what passes a camera: the two counters that ours is held against.

Both need the extra ``[ultralytics]`` (``make ultralytics``), and get the same weights and thresholds as ours.
"""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import numpy as np

from agent.detection import bundled_model_path
from agent.detection.toolchain import lend_nms
from agent.types import Detections, Image

CONFIDENCE = 0.25
LOW = 0.1  # detections down to here continue tracks: ours and ultralytics' alike
HEIGHT_WIDTH = (720, 1280)


def track_ids(found: Iterable[tuple[int, Detections]]) -> Iterator[int]:
    """Give the frame number in which each id comes up of ultralytics' BYTETracker, with its defaults."""
    from ultralytics.engine.results import Boxes  # noqa: PLC0415  an extra that brings torch
    from ultralytics.trackers.byte_tracker import BYTETracker  # noqa: PLC0415

    defaults = {"track_high_thresh": CONFIDENCE, "track_low_thresh": LOW, "new_track_thresh": CONFIDENCE}
    tracker = BYTETracker(SimpleNamespace(**defaults, track_buffer=30, match_thresh=0.8, fuse_score=True))
    known: set[int] = set()
    for number, seen in found:
        rows = np.column_stack([seen.boxes, seen.scores, seen.class_ids]).astype(np.float32)
        ids = {int(track[4]) for track in tracker.update(Boxes(rows, HEIGHT_WIDTH), None)}
        yield from [number] * len(ids - known)
        known |= ids


def crossings(pictures: Iterable[tuple[int, Image]]) -> Iterator[int]:
    """Give the frame number of each count of ultralytics' ObjectCounter, with a line down the middle of the picture."""
    lend_nms()
    from ultralytics import solutions  # noqa: PLC0415  an extra that brings torch

    middle = HEIGHT_WIDTH[1] // 2
    counter = solutions.ObjectCounter(
        region=[(middle, 0), (middle, HEIGHT_WIDTH[0])],
        model=str(bundled_model_path()),
        conf=LOW,
        show=False,
        verbose=False,
        tracker="bytetrack.yaml",
    )
    told = 0
    for number, picture in pictures:
        counter(picture)
        yield from [number] * (counter.in_count + counter.out_count - told)
        told = counter.in_count + counter.out_count
