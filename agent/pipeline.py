"""One camera's way from a picture to what it means: detection, tracking, analytics."""

from dataclasses import dataclass
from typing import Self

from agent.analytics import Presence
from agent.detection import Detector
from agent.tracking import ByteTrack, TrackerParams
from agent.types import Detections, Frame, Observation, Tracks

_MIN_GAP_S = 2.0
_GAP_FRAMES = 3  # a slow camera's frames may be this far apart without a gap in what was watched


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A frame, and all that was made of it."""

    frame: Frame
    detections: Detections
    tracks: Tracks
    observation: Observation


class CameraPipeline:
    """Takes the frames of one camera, in order. The detector may serve other cameras too; the rest is this one's."""

    def __init__(self, camera: str, detector: Detector, tracker: ByteTrack, presence: Presence) -> None:
        """Take the parts; tracker and presence must be new, and nobody else's."""
        self.camera = camera
        self._detector = detector
        self._tracker = tracker
        self._presence = presence

    @classmethod
    def for_camera(cls, camera: str, detector: Detector, *, confidence: float, fps: float) -> Self:
        """Return the pipeline that a camera gets.

        Args:
            camera: Its name.
            detector: Should give detections below ``confidence`` too, down to 0.1: they help to follow what is known.
            confidence: Score from which a detection may start a track; in (0, 1).
            fps: Frames a second that will come when none is dropped.

        Raises:
            ValueError: ``confidence`` or ``fps`` is out of range.
        """
        if not fps > 0:
            raise ValueError(f"fps: found {fps}; allowed: more than 0")
        interval_s = 1 / fps
        tracker = ByteTrack(TrackerParams.at(confidence=confidence, frame_interval_s=interval_s))
        max_gap_s = max(_MIN_GAP_S, _GAP_FRAMES * interval_s)
        return cls(camera, detector, tracker, Presence(camera, detector.info.class_names, max_gap_s=max_gap_s))

    def step(self, frame: Frame) -> Step:
        """Analyse the next frame.

        Raises:
            ValueError: The frame is of another camera, is no picture, or the detector gave impossible values.
            RejectedError: The detector cannot use this frame.
        """
        if frame.camera != self.camera:
            raise ValueError(f"frame of camera {frame.camera!r} came to the pipeline of {self.camera!r}")
        detections = self._detector.detect(frame.image)
        tracks = self._tracker.update(detections, frame.captured)
        return Step(frame, detections, tracks, self._presence.observe(tracks, frame.captured))
