"""The fruit of the rows of a video, counted by us and by ultralytics, beside the truth.

Beside the video lies ``VIDEO.json``: per segment (one tree) the first frame, the number of frames and how many
different fruit came into view.
"""

import contextlib
import json
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from agent.analytics.row import RowCount
from agent.config import RowConfig
from agent.detection import Backend, open_detector
from agent.types import ANY, Detections, Event, Frame, Image, Instant
from benchmarks.requirements import Requirement
from benchmarks.row_references import LOW, crossings, track_ids

LEAST_COVERED = 5 / 6


@dataclass(frozen=True, slots=True)
class Column:
    """What one counter says by segment; ``bands`` (low, high) where it gives them."""

    name: str
    counts: tuple[float, ...]
    bands: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A video at some frame rate: the truth and our raw finds by segment, and the counters, ours first."""

    name: str
    truth: tuple[int, ...]
    found: tuple[int, ...]
    columns: tuple[Column, ...]

    def total_error(self, column: Column) -> float:
        """Return count less truth of the whole video."""
        return sum(column.counts) - sum(self.truth)

    def errors(self, column: Column) -> list[float]:
        """Return the sizes of the errors by segment."""
        return [abs(count - true) for count, true in zip(column.counts, self.truth, strict=True)]

    @property
    def covered(self) -> int:
        """Return of how many segments our band holds the truth."""
        bands = zip(self.columns[0].bands, self.truth, strict=True)
        return sum(low <= true <= high for (low, high), true in bands)


def pictures(video: Path, fps: float) -> Iterator[tuple[int, float, Image]]:
    """Give number, seconds and BGR of the frames of a video, thinned out evenly to ``fps``."""
    with av.open(str(video)) as container:
        rate = float(container.streams.video[0].average_rate or fps)
        step = max(1, round(rate / fps))
        for number, frame in enumerate(container.decode(video=0)):
            if number % step == 0:
                yield number, number / rate, frame.to_ndarray(format="bgr24")


def measure(video: Path, fps: float, backend: Backend = "auto") -> Table:
    """Count a video at a frame rate; ``backend`` is what our detector runs on.

    Raises:
        SystemExit: Our segments are not those of the truth.
    """
    segments = json.loads(video.with_suffix(".json").read_text(encoding="utf-8"))["segments"]
    found: dict[int, Detections] = {}
    reports = [event.data for event in ours(video, fps, found, backend) if event.data["class"] == ANY]
    if len(reports) != len(segments):
        raise SystemExit(f"{video.name} at {fps:g} fps: {len(reports)} segments found, the truth has {len(segments)}")
    starts = [segment["first_frame"] for segment in segments]
    stills = ((number, picture) for number, _, picture in pictures(video, fps))
    return Table(
        f"{video.name} at {fps:g} frames a second",
        tuple(segment["unique_fruit"] for segment in segments),
        tuple(int(data["found"] or 0) for data in reports),
        (
            _own_column(reports),
            *_reference("ultralytics track ids", starts, lambda: track_ids(found.items())),
            *_reference("ultralytics ObjectCounter", starts, lambda: crossings(stills)),
        ),
    )


def ours(video: Path, fps: float, found: dict[int, Detections], backend: Backend = "auto") -> list[Event]:
    """Count as the daemon does; keep the detections by frame in ``found``."""
    detector = open_detector(None, backend=backend, min_score=LOW)
    row = RowCount(RowConfig(), "pan", detector.info.class_names)
    events: list[Event] = []
    at = Instant(0, 0, 1)
    for number, time_s, picture in pictures(video, fps):
        at = Instant(0, round(time_s * 1e9), 1)
        found[number] = detector.detect(picture)
        events += row.observe(Frame("pan", number, at, picture), found[number]).events
    return [*events, *row.finish(at).events]


def _own_column(reports: Sequence[Any]) -> Column:
    bands = tuple((float(data["low"]), float(data["high"])) for data in reports)
    return Column("ours", tuple(float(data["count"]) for data in reports), bands)


def _reference(name: str, starts: Sequence[int], frames: Callable[[], Iterable[int]]) -> Iterator[Column]:
    """Give a column of counts by the frames in which they were made; nothing where it is not installed."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # ultralytics talks there
            counts = Counter(int(np.searchsorted(starts, frame, side="right")) - 1 for frame in frames())
    except ImportError as error:
        print(f"{name}: left out, {error.name} is not installed (make ultralytics)", file=sys.stderr)
        return
    yield Column(name, tuple(counts[number] for number in range(len(starts))))


def print_table(table: Table) -> None:
    """Print counts by segment and in total, and the errors."""
    columns = table.columns
    print(f"\n{table.name}\n\n| segment | truth | ours: found | " + " | ".join(one.name for one in columns) + " |")
    print("|---" * (3 + len(columns)) + "|")
    for number, true in enumerate(table.truth):
        cells = [_cell(column, number, true) for column in columns]
        print(f"| {number + 1} | {true} | {table.found[number]} | " + " | ".join(cells) + " |")
    totals = [f"{sum(one.counts):.0f} ({table.total_error(one):+.0f})" for one in columns]
    print(f"| total | {sum(table.truth)} | {sum(table.found)} | " + " | ".join(totals) + " |")
    medians = [f"{statistics.median(table.errors(one)):.1f}" for one in columns]
    print("| median error of a segment | | | " + " | ".join(medians) + " |")
    print("| sum of their errors | | | " + " | ".join(f"{sum(table.errors(one)):.0f}" for one in columns) + " |")


def _cell(column: Column, number: int, true: int) -> str:
    count = column.counts[number]
    band = ""
    if column.bands:
        low, high = column.bands[number]
        band = f", {low:.0f} to {high:.0f}" + ("" if low <= true <= high else " (outside)")
    return f"{count:.3g} ({count - true:+.3g}){band}"


def requirements(table: Table) -> Iterator[Requirement]:
    """Hold a table against what is required: ours nearer to the truth than the better reference, and honest bands."""
    own, *references = table.columns
    for name, error in (
        ("error in total", lambda column: abs(table.total_error(column))),
        ("median error of a segment", lambda column: statistics.median(table.errors(column))),
    ):
        best = min((error(column) for column in references), default=None) if len(references) == 2 else None
        required = "below ultralytics' better counter" + ("" if best is None else f": {best:.1f}")
        met = None if best is None else error(own) < best
        yield Requirement(f"{table.name}: {name}", required, f"{error(own):.1f}", met)
    of = len(table.truth)
    met = table.covered >= LEAST_COVERED * of
    required = f"at least {LEAST_COVERED:.0%}"
    yield Requirement(f"{table.name}: band holds the truth", required, f"{table.covered} of {of}", met)
