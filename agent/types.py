"""The values in which the rooms of the agent meet. No behaviour beyond what a value knows of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from agent.planes import Pixels, bgr_of

Image = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR."""

Small = NDArray[np.uint8]
"""(h, w) uint8: the luma of a frame, scaled down to at most 320 pixels on its longer side."""

Boxes = NDArray[np.float32]
"""(N, 4) float32 xyxy, pixels of the source frame, never rounded."""

Scores = NDArray[np.float32]
"""(N,) float32 in [0, 1]."""

Ids = NDArray[np.int64]
"""(N,) int64: class indices or track ids."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on the three clocks of a box.

    ``utc_ns``: nanoseconds since 1970, may step. ``monotonic_ns``: nanoseconds since some point of this boot, never
    steps. ``boot``: which boot of the machine, counted by the box's database from 1 (0: not known yet).
    """

    utc_ns: int
    monotonic_ns: int
    boot: int


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    ``index`` counts the frames that the source delivered since it was opened, from 0, dropped ones included.
    ``captured`` is when the picture was taken, as well as the source can tell. ``small`` is its small luma where the
    source made one. A ``still`` frame shows what the frame before it showed, as far as the motion gate can tell: its
    ``pixels`` are those of the last frame that was not still, and need not be looked at again. ``session`` numbers the
    openings of the source: between two of them nobody watched.
    """

    camera: str
    index: int
    captured: Instant
    pixels: Pixels
    small: Small | None = None
    still: bool = False
    session: int = 0

    @property
    def image(self) -> Image:
        """The pixels as BGR. Made when it is first asked for where the camera's are in planes: ask only if need be."""
        return bgr_of(self.pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector saw in one frame: N boxes, their scores and class indices, best score first."""

    boxes: Boxes
    scores: Scores
    class_ids: Ids

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        n = len(self.scores)
        if self.boxes.shape != (n, 4) or self.scores.shape != (n,) or self.class_ids.shape != (n,):
            raise ValueError(
                f"detections do not fit: boxes {self.boxes.shape}, scores {self.scores.shape}, "
                f"class_ids {self.class_ids.shape}"
            )

    def __len__(self) -> int:
        """Return N."""
        return len(self.scores)

    @classmethod
    def none(cls) -> "Detections":
        """Return the detections of an empty frame."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The confirmed tracks that were seen in one frame, N of them.

    ``boxes`` and ``scores`` are those of the detection matched in this frame; ``class_ids`` are the tracks' own, which
    one odd detection does not change. ``track_ids`` are unique per camera and never used again by the same tracker.
    ``fresh`` marks tracks that are reported for the first time: each track is fresh in exactly one frame, which is what
    "counted once" means.
    """

    track_ids: Ids
    boxes: Boxes
    scores: Scores
    class_ids: Ids
    fresh: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return N."""
        return len(self.track_ids)

    @classmethod
    def none(cls) -> "Tracks":
        """Return the tracks of a frame in which there are none."""
        nothing = Detections.none()
        ids = nothing.class_ids
        return cls(ids, nothing.boxes, nothing.scores, ids, np.zeros(0, np.bool_))


class CameraState(StrEnum):
    """How a camera does. End of stream, read failure and stall are three different things."""

    STARTING = "starting"
    LIVE = "live"
    ENDED = "ended"  # the source came to its end, as a file does
    UNREACHABLE = "unreachable"  # nobody answers at that address, or there is no such file
    REFUSED = "refused"  # a machine answers, but nothing listens there
    UNAUTHORISED = "unauthorised"
    STALLED = "stalled"  # connected, but no frame within the timeout
    FAILED = "failed"  # the data cannot be read or decoded
    UNSUPPORTED = "unsupported"  # its video is of a kind that cannot be decoded here
    DECODER_LOST = "decoder-lost"  # the process that decoded it crashed or hung


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What is known of one camera now; counters count since the agent started."""

    camera: str
    state: CameraState
    detail: str  # one line for a person, empty when live
    since: Instant
    frames_captured: int
    frames_dropped: int  # replaced by a newer one before anybody looked: wanted when analysis is slower
    frames_still: int  # of those captured, the ones in which the motion gate saw nothing new
    reconnects: int
    width: int  # pixels, 0 until the first frame
    height: int
    frames_late: int = 0  # so old when they came, or when somebody looked, that they say nothing of now
    resizes: int = 0  # how often the size of its pictures changed
    failures: Mapping[str, int] = field(default_factory=dict)  # how often it came into each state that is none of well


ANY = "*"
"""As a zone: the whole picture. As a class: all classes together, which is the row that says how long it observed."""


@dataclass(frozen=True, slots=True)
class ClassCount:
    """What one frame says of one class in one zone."""

    zone: str
    class_name: str
    unique: int  # tracks reported for the first time in this frame
    present: int  # confirmed tracks in this frame
    score_sum: float  # of those present


@dataclass(frozen=True, slots=True)
class Measure:
    """One reading of a named quantity; readings are summed up over a window.

    ``name`` says the unit where there is one, as ``dwell_s`` or ``speed_m_s`` does. Something that is counted, as an
    object that crossed a line, is a reading of 1 each: the total of the window is the count.
    """

    zone: str  # a zone's or line's name, or ANY
    class_name: str  # or ANY
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once, for the history and for the cloud. An alarm is an event that overtakes the rest."""

    kind: str  # e.g. "camera-state", "agent-started", "loitering"
    camera: str | None
    at: Instant
    data: Mapping[str, str | int | float | bool | None]
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What one analysis made of one frame."""

    counts: tuple[ClassCount, ...] = ()
    measures: tuple[Measure, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one analysed frame adds to the history of a camera.

    ``observed_ns`` is the time that this frame stands for: since the frame before it, and 0 after a gap, so that the
    sum over a window is the time really watched. ``counts`` holds the row (``ANY``, ``ANY``); it is empty only where
    nothing was seen: in a frame of a blind camera, and in what the analyses say at the end of the program. ``place`` is
    where the camera was, empty if not known.
    """

    camera: str
    at: Instant
    observed_ns: int
    counts: tuple[ClassCount, ...]
    measures: tuple[Measure, ...] = ()
    events: tuple[Event, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Rollup:
    """One window of one camera, zone and class. Sums, so that two parts of a window add up.

    The key is (camera, zone, class_name, window_start_s, window_s).
    """

    camera: str
    zone: str
    class_name: str
    window_start_s: int  # UTC, a multiple of window_s
    window_s: int
    boot: int  # boot of the first frame in it
    monotonic_start_ns: int  # monotonic time, in that boot, at window_start_s
    observed_ms: int
    frames: int
    unique: int
    presence: int  # sum over frames of the confirmed tracks present
    occupancy_max: int
    score_sum: float  # over all present
    place: str = ""  # where the camera was for most of the window; empty: not known, may be assigned later

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """Return what names this window."""
        return (self.camera, self.zone, self.class_name, self.window_start_s, self.window_s)


@dataclass(frozen=True, slots=True)
class MeasureRollup:
    """The readings of one measure in one window. Sums and extremes, so that two parts of a window add up.

    The key is (camera, zone, class_name, name, window_start_s, window_s). The mean is ``total / count``.
    """

    camera: str
    zone: str
    class_name: str
    name: str
    window_start_s: int  # UTC, a multiple of window_s
    window_s: int
    boot: int  # boot of the first reading in it
    count: int  # readings
    total: float
    least: float
    most: float

    @property
    def key(self) -> tuple[str, str, str, str, int, int]:
        """Return what names this window."""
        return (self.camera, self.zone, self.class_name, self.name, self.window_start_s, self.window_s)
