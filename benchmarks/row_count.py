"""How well the fruit of a row are counted: on a video with its truth beside ultralytics, and on simulated rows.

``python -m benchmarks.row_count VIDEO.mp4 [--fps 15] [--seeds 20]``. Beside the video lies ``VIDEO.json`` with the
truth: per segment the first frame, the number of frames and how many different fruit came into view. All columns come
from the same weights and thresholds:

- ours: ``agent.analytics.row`` behind the daemon's own detector and tracker; raw finds, estimate and band;
- track ids: the ids that ultralytics' BYTETracker gives out, with its defaults, on the same boxes;
- ObjectCounter: ultralytics' ``solutions.ObjectCounter``, which counts what crosses the middle of the picture.

The last two need the extra ``[ultralytics]``, the last also ``shapely``; without them they are left out, and said.
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np

from agent.analytics.row import RowCount
from agent.config import RowConfig
from agent.detection import bundled_model_path, open_detector
from agent.types import ANY, Detections, Event, Frame, Image, Instant
from tests.analytics.row_walk import walk

CONFIDENCE = 0.25
LOW = 0.1  # detections down to here continue tracks: ours and ultralytics' alike


@dataclass
class Column:
    """What one counter says, by segment."""

    name: str
    counts: list[float]
    bands: list[tuple[float, float]] = field(default_factory=list)


def pictures(video: Path, fps: float) -> Iterator[tuple[int, float, Image]]:
    """Give number, seconds and BGR of the frames of a video, thinned out evenly to ``fps``."""
    with av.open(str(video)) as container:
        rate = float(container.streams.video[0].average_rate or fps)
        step = max(1, round(rate / fps))
        for number, frame in enumerate(container.decode(video=0)):
            if number % step == 0:
                yield number, number / rate, frame.to_ndarray(format="bgr24")


def ours(video: Path, fps: float, found: dict[int, Detections]) -> list[Event]:
    """Count as the daemon does; keep the detections by frame in ``found``."""
    detector = open_detector(None, min_score=LOW)
    row = RowCount(RowConfig(), "pan", detector.info.class_names, confidence=CONFIDENCE)
    events: list[Event] = []
    at = Instant(0, 0, 1)
    for number, time_s, image in pictures(video, fps):
        at = Instant(0, round(time_s * 1e9), 1)
        found[number] = detector.detect(image)
        events += row.observe(Frame("pan", number, at, image), found[number]).events
    return [*events, *row.finish(at).events]


def track_ids(found: dict[int, Detections], segments: Sequence[dict[str, Any]]) -> Column:
    """Count the ids of ultralytics' BYTETracker by the segment in which they come up."""
    from ultralytics.engine.results import Boxes  # noqa: PLC0415  an extra that brings torch
    from ultralytics.trackers.byte_tracker import BYTETracker  # noqa: PLC0415

    defaults = {"track_high_thresh": CONFIDENCE, "track_low_thresh": LOW, "new_track_thresh": CONFIDENCE}
    tracker = BYTETracker(SimpleNamespace(**defaults, track_buffer=30, match_thresh=0.8, fuse_score=True))
    first: dict[int, int] = {}
    for number, seen in found.items():
        rows = np.column_stack([seen.boxes, seen.scores, seen.class_ids]).astype(np.float32)
        for track in tracker.update(Boxes(rows, (720, 1280)), None):
            first.setdefault(int(track[4]), number)
    return Column("ultralytics track ids", _by_segment(first.values(), segments))


def object_counter(video: Path, fps: float, segments: Sequence[dict[str, Any]]) -> Column:
    """Count with ultralytics' ``solutions.ObjectCounter`` and a line across the middle of the picture."""
    from ultralytics import solutions  # noqa: PLC0415  an extra that brings torch

    with av.open(str(video)) as container:
        width, height = container.streams.video[0].width, container.streams.video[0].height
    counter = solutions.ObjectCounter(
        region=[(width // 2, 0), (width // 2, height)],
        model=str(bundled_model_path()),
        conf=LOW,
        show=False,
        verbose=False,
        tracker="bytetrack.yaml",
    )
    crossed: list[int] = []
    for number, _, image in pictures(video, fps):
        counter(image)
        crossed += [number] * (counter.in_count + counter.out_count - len(crossed))
    return Column("ultralytics ObjectCounter", _by_segment(crossed, segments))


def _by_segment(frames: Any, segments: Sequence[dict[str, Any]]) -> list[float]:
    starts = [segment["first_frame"] for segment in segments]
    counts = Counter(int(np.searchsorted(starts, frame, side="right")) - 1 for frame in frames)
    return [counts[number] for number in range(len(segments))]


def print_table(truth: Sequence[int], columns: Sequence[Column], raw: Sequence[int]) -> None:
    """Print counts by segment and in total, and the errors."""
    print("| segment | truth | ours: found | " + " | ".join(column.name for column in columns) + " |")
    print("|---" * (3 + len(columns)) + "|")
    for number, true in enumerate(truth):
        cells = [_cell(column, number, true) for column in columns]
        print(f"| {number + 1} | {true} | {raw[number]} | " + " | ".join(cells) + " |")
    totals = [f"{sum(c.counts):.0f} ({sum(c.counts) - sum(truth):+.0f})" for c in columns]
    print(f"| total | {sum(truth)} | {sum(raw)} | " + " | ".join(totals) + " |")
    errors = [[abs(count - true) for count, true in zip(c.counts, truth, strict=True)] for c in columns]
    print("| median error of a segment | | | " + " | ".join(f"{statistics.median(e):.1f}" for e in errors) + " |")
    print("| sum of their errors | | | " + " | ".join(f"{sum(e):.0f}" for e in errors) + " |")


def _cell(column: Column, number: int, true: int) -> str:
    count = column.counts[number]
    band = ""
    if column.bands:
        low, high = column.bands[number]
        band = f", {low:.0f} to {high:.0f}" + ("" if low <= true <= high else " (outside)")
    return f"{count:.3g} ({count - true:+.3g}){band}"


def pan(video: Path, fps: float) -> None:
    """Print the table of one video."""
    segments = json.loads(video.with_suffix(".json").read_text(encoding="utf-8"))["segments"]
    truth = [segment["unique_fruit"] for segment in segments]
    found: dict[int, Detections] = {}
    reports = [event.data for event in ours(video, fps, found) if event.data["class"] == ANY]
    if len(reports) != len(truth):
        raise SystemExit(f"{len(reports)} segments found, the truth has {len(truth)}")
    bands = [(float(data["low"] or 0), float(data["high"] or 0)) for data in reports]
    columns = [Column("ours", [float(data["count"] or 0) for data in reports], bands)]
    for reference in (lambda: track_ids(found, segments), lambda: object_counter(video, fps, segments)):
        try:
            columns.append(reference())
        except ImportError as error:
            print(f"left out, not installed: {error.name}", file=sys.stderr)
    print(f"\n{video.name} at {fps:g} frames a second\n")
    print_table(truth, columns, [int(data["found"] or 0) for data in reports])


def simulated(seeds: int) -> None:
    """Print the errors on simulated rows with degraded true boxes."""
    print("\n| simulated row | truth | ours | our tracker's ids |\n|---|---|---|---|")
    errors = []
    for seed in range(1, seeds + 1):
        walked = walk(seed)
        errors.append(walked.counted / walked.truth - 1)
        print(f"| {seed} | {walked.truth} | {walked.counted} ({errors[-1]:+.1%}) | {walked.track_ids} |", flush=True)
    sizes = np.abs(errors)
    print(f"\nmean error {np.mean(errors):+.1%}, mean size {sizes.mean():.1%}, largest {sizes.max():.1%}")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Score the fruit count of a row.")
    parser.add_argument("video", type=Path)
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--seeds", type=int, default=20, help="simulated rows; 0: none")
    arguments = parser.parse_args()
    pan(arguments.video, arguments.fps)
    if arguments.seeds:
        simulated(arguments.seeds)


if __name__ == "__main__":
    main()
