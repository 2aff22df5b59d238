"""The full pipeline over a recording, as fast as it goes."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

from agent.analytics import create_analyses, create_row
from agent.capture import replay as frames_of
from agent.clock import Clock, ManualClock, SystemClock
from agent.config import CameraConfig
from agent.detection import Detector, look_ahead
from agent.errors import RejectedError
from agent.pipeline import CameraPipeline
from agent.summaries import RollupWindows
from agent.types import ANY, Event, Frame, Instant, MeasureRollup, Observation, Rollup

_CAMERA = "replay"
_FIRST_FRAMES = 9  # the frame rate is taken from these


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What was found in a recording."""

    video: str
    model: str
    backend: str
    frames: int
    seconds: float  # how long the recording plays
    wall_s: float  # how long it took
    unique: dict[str, int]  # different objects, by class of the model
    rollups: tuple[Rollup, ...]  # by minute of the recording, which begins at 0
    measures: tuple[MeasureRollup, ...]  # beside them: what zones, lines, the row and the farm's measures say
    events: tuple[Event, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def summary(self) -> str:
        """Return some lines for a person."""
        counted = "\n".join(f"{name:>16} {count:6d}" for name, count in self.unique.items() if count)
        speed = self.seconds / self.wall_s if self.wall_s else 0.0
        return (
            f"{self.video}: {self.frames} frames, {self.seconds:.1f} s, in {self.wall_s:.1f} s ({speed:.1f} times as "
            f"fast), {self.model} on {self.backend}\n{counted or '         nothing found'}"
        ) + "".join(f"\n{line}" for line in self._answers())

    def _answers(self) -> Iterator[str]:
        """Give a line for each measure of each zone and class over all of the recording, and for each event."""
        for (zone, class_name, name), parts in self._measures().items():
            where = ", ".join(part for part in (zone, class_name) if part != ANY)
            total, count = sum(part.total for part in parts), sum(part.count for part in parts)
            is_sum = total == count or name.startswith("row_count")  # readings of 1, or one of each segment
            value = f"{total:g}" if is_sum else f"{total / count:.4g} on average of {count}"
            yield f"{f'{where}: {name}' if where else name}  {value}"
        for event in self.events:
            facts = ", ".join(f"{name} {value}" for name, value in event.data.items() if value is not None)
            yield f"{event.at.monotonic_ns / 1e9:.1f} s  {event.kind}: {facts}"

    def _measures(self) -> dict[tuple[str, str, str], list[MeasureRollup]]:
        found: dict[tuple[str, str, str], list[MeasureRollup]] = {}
        for part in self.measures:
            found.setdefault((part.zone, part.class_name, part.name), []).append(part)
        return dict(sorted(found.items()))


def replay(
    video: Path,
    detectors: Sequence[Detector],
    *,
    confidence: float,
    camera: CameraConfig | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    clock: Clock | None = None,
) -> ReplayResult:
    """Detect, track and count in every frame of a video file.

    Args:
        video: The file.
        detectors: At least one, of one model: frames are seen by all of them at a time, and analysed in order. They
            should give detections down to a score of 0.1, or of ``confidence`` if that is less.
        confidence: Score from which a detection may start a track; in (0, 1).
        camera: Its zones, lines, row and farm measures are taken of the recording; None: presence alone.
        on_progress: Called after each frame with the number of frames done, and that of all, 0 as it is not known.
        clock: Measures how long it takes; the machine's unless given.

    Raises:
        RejectedError: It is a folder.
        SourceError: It cannot be opened, or not be read on; the message names it and says why.
        ConfigError: The camera's configuration does not fit the model.
        ValueError: ``confidence`` is out of range.
    """
    if video.is_dir():
        raise RejectedError(f"{video}: is a folder; replay takes a video file")
    clock = clock or SystemClock()
    started_ns = clock.now().monotonic_ns
    tally = _Tally()
    frames = _frames(video)
    first = list(islice(frames, _FIRST_FRAMES))
    interval_s = _interval_s(first)
    info = detectors[0].info
    names = info.class_names
    pipeline = CameraPipeline.for_camera(
        _CAMERA,
        detectors[0],
        confidence=confidence,
        fps=1 / interval_s,
        analyses=create_analyses(camera, names) if camera else (),
        row=create_row(camera, names) if camera else None,
    )
    for frame, seen in look_ahead(detectors, chain(first, frames)):
        tally.add(pipeline.step(frame, seen).observation)
        if on_progress is not None:
            on_progress(tally.frames, 0)
    if tally.last_at is not None:
        tally.add(pipeline.finish(tally.last_at))
    parts = tally.windows.flush(tally.last_at) if tally.last_at else []
    return ReplayResult(
        video=str(video),
        model=info.name,
        backend=info.backend,
        frames=tally.frames,
        seconds=round(tally.last_at.monotonic_ns / 1e9 + interval_s, 3) if tally.last_at else 0.0,
        wall_s=round((clock.now().monotonic_ns - started_ns) / 1e9, 3),
        unique={name: tally.unique[name] for name in names},
        rollups=tuple(part for part in parts if isinstance(part, Rollup)),
        measures=tuple(part for part in parts if isinstance(part, MeasureRollup)),
        events=tuple(tally.events),
    )


class _Tally:
    """Adds up the observations of one recording."""

    def __init__(self) -> None:
        self.windows = RollupWindows()
        self.frames = 0
        self.last_at: Instant | None = None
        self.unique: Counter[str] = Counter()
        self.events: list[Event] = []

    def add(self, observation: Observation) -> None:
        self.windows.add(observation)
        self.frames += bool(observation.counts)  # what is said at the end has no frame
        self.last_at = observation.at
        whole = (row for row in observation.counts if row.zone == ANY and row.class_name != ANY)
        self.unique.update({row.class_name: row.unique for row in whole})
        self.events += observation.events


def _frames(video: Path) -> Iterator[Frame]:
    """Yield the frames of a recording, dated from 0 on all clocks, so that a replay never depends on when it is run."""
    camera = CameraConfig(name=_CAMERA, source=str(video.absolute()), sampling="all")
    return frames_of(camera, ManualClock(utc_ns=0, monotonic_ns=0, boot=0))


def _interval_s(frames: list[Frame]) -> float:
    """Return the usual time between frames, which the file's header need not tell truly."""
    times_ns = [frame.captured.monotonic_ns for frame in frames]
    steps_ns = [later - earlier for earlier, later in pairwise(times_ns) if later > earlier]
    return median(steps_ns) / 1e9 if steps_ns else 1 / 25
