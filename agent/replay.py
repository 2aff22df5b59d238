"""The full pipeline over a recording, as fast as it goes."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

from agent.capture import replay as frames_of
from agent.clock import Clock, ManualClock, SystemClock
from agent.config import CameraConfig
from agent.detection import Detector
from agent.errors import RejectedError
from agent.pipeline import CameraPipeline
from agent.summaries import RollupWindows
from agent.types import ANY, Frame, Observation, Rollup

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
        )


def replay(
    video: Path,
    detector: Detector,
    *,
    confidence: float,
    on_progress: Callable[[int, int], None] | None = None,
    clock: Clock | None = None,
) -> ReplayResult:
    """Detect, track and count in every frame of a video file.

    Args:
        video: The file.
        detector: Should give detections down to a score of 0.1, or of ``confidence`` if that is less.
        confidence: Score from which a detection may start a track; in (0, 1).
        on_progress: Called after each frame with the number of frames done, and that of all, 0 as it is not known.
        clock: Measures how long it takes; the machine's unless given.

    Raises:
        RejectedError: It is a folder.
        SourceError: It cannot be opened, or not be read on; the message names it and says why.
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
    pipeline = CameraPipeline.for_camera(_CAMERA, detector, confidence=confidence, fps=1 / interval_s)
    for frame in chain(first, frames):
        tally.add(pipeline.step(frame).observation)
        if on_progress is not None:
            on_progress(tally.frames, 0)
    return ReplayResult(
        video=str(video),
        model=detector.info.name,
        backend=detector.info.backend,
        frames=tally.frames,
        seconds=round(tally.last_s + interval_s, 3) if tally.frames else 0.0,
        wall_s=round((clock.now().monotonic_ns - started_ns) / 1e9, 3),
        unique={name: tally.unique[name] for name in detector.info.class_names},
        rollups=tuple(tally.windows.peek()),
    )


class _Tally:
    """Adds up the observations of one recording."""

    def __init__(self) -> None:
        self.windows = RollupWindows()
        self.frames = 0
        self.last_s = 0.0
        self.unique: Counter[str] = Counter()

    def add(self, observation: Observation) -> None:
        self.windows.add(observation)
        self.frames += 1
        self.last_s = observation.at.monotonic_ns / 1e9
        self.unique.update({row.class_name: row.unique for row in observation.counts if row.class_name != ANY})


def _frames(video: Path) -> Iterator[Frame]:
    """Yield the frames of a recording, dated from 0 on all clocks, so that a replay never depends on when it is run."""
    camera = CameraConfig(name=_CAMERA, source=str(video.absolute()), sampling="all")
    return frames_of(camera, ManualClock(utc_ns=0, monotonic_ns=0, boot=0))


def _interval_s(frames: list[Frame]) -> float:
    """Return the usual time between frames, which the file's header need not tell truly."""
    times_ns = [frame.captured.monotonic_ns for frame in frames]
    steps_ns = [later - earlier for earlier, later in pairwise(times_ns) if later > earlier]
    return median(steps_ns) / 1e9 if steps_ns else 1 / 25
