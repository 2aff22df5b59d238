"""What a tracker can be told."""

import math
from dataclasses import dataclass, fields
from typing import Self

_LOW_THRESH = 0.1
_MAX_LOST_S = 2.0
_MIN_LOST_FRAMES = 3  # a slow camera may miss an object this many times, whatever the seconds
_MIN_SEEN_S = 0.1  # on real detections of a panning camera, counts are nearest to the truth with this


@dataclass(frozen=True, slots=True)
class TrackerParams:
    """Settings of one tracker; the thresholds have the names and defaults of ultralytics' ``bytetrack.yaml``.

    ``track_high_thresh``: detections of at least this score are matched first, with every track, and may start one.
    ``track_low_thresh``: detections between this and ``track_high_thresh`` only continue tracks seen just before.
    ``new_track_thresh``: least score that starts a track.
    ``match_thresh``: greatest cost ``1 - IoU * score`` of a pair in the first association; 0.8 asks for 0.2 in common.
    ``min_hits``: consecutive updates in which a track must be seen before it is reported and counted.
    ``max_lost_s``: seconds after which a track that is not seen any more is forgotten.
    ``frame_interval_s``: seconds between two frames when nothing is dropped; velocities are per this interval.

    Raises:
        ValueError: A value is out of range; the message names the field, what was found and what is allowed.
    """

    track_high_thresh: float = 0.25
    track_low_thresh: float = _LOW_THRESH
    new_track_thresh: float = 0.25
    match_thresh: float = 0.8
    min_hits: int = 2
    max_lost_s: float = _MAX_LOST_S
    frame_interval_s: float = 0.2

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                raise ValueError(f"{field.name}: found {value}; allowed: a finite number")
            if field.name.endswith("_thresh") and not 0 <= value <= 1:
                raise ValueError(f"{field.name}: found {value}; allowed: 0 to 1")
        if self.track_low_thresh > self.track_high_thresh:
            raise ValueError(
                f"track_low_thresh: found {self.track_low_thresh}; allowed: at most track_high_thresh, "
                f"{self.track_high_thresh}"
            )
        if self.min_hits < 1:
            raise ValueError(f"min_hits: found {self.min_hits}; allowed: 1 or more")
        if self.frame_interval_s <= 0:
            raise ValueError(f"frame_interval_s: found {self.frame_interval_s}; allowed: more than 0")
        if self.max_lost_s < self.frame_interval_s:
            raise ValueError(
                f"max_lost_s: found {self.max_lost_s}; allowed: at least frame_interval_s, {self.frame_interval_s}"
            )

    @classmethod
    def at(cls, *, confidence: float, frame_interval_s: float) -> Self:
        """Return the settings for a camera whose detections count from ``confidence`` on.

        False detections flicker for a time rather than for a number of frames, so a fast camera must see a track more
        often: 2 times at 5 frames a second, 3 at 15, 4 at 30.

        Raises:
            ValueError: ``confidence`` is not in [0, 1], or ``frame_interval_s`` is not positive.
        """
        if not frame_interval_s > 0:
            raise ValueError(f"frame_interval_s: found {frame_interval_s}; allowed: more than 0")
        return cls(
            track_high_thresh=confidence,
            track_low_thresh=min(_LOW_THRESH, confidence),
            new_track_thresh=confidence,
            min_hits=1 + math.ceil(_MIN_SEEN_S / frame_interval_s),
            max_lost_s=max(_MAX_LOST_S, _MIN_LOST_FRAMES * frame_interval_s),
            frame_interval_s=frame_interval_s,
        )
