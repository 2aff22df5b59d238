"""One camera's way from a picture to what it means: detection, tracking, analytics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from agent.analytics import Analysis, Presence, RowCount
from agent.analytics.sight import Sight, Sighting
from agent.detection import Detector
from agent.places import PlaceFinder
from agent.tracking import ByteTrack, TrackerParams
from agent.types import ANY, Detections, Findings, Frame, Instant, Measure, Observation, Tracks

_MIN_GAP_S = 2.0
_STILL = Measure(ANY, ANY, "frames_still", 1.0)  # the total of a window: frames that cost no detector
_GAP_FRAMES = 3  # a slow camera's frames may be this far apart without a gap in what was watched


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A frame, and all that was made of it."""

    frame: Frame
    detections: Detections
    tracks: Tracks
    observation: Observation


def longest_step_s(fps: float) -> float:
    """Return how far two frames of a camera may be apart without a gap in what was watched."""
    return max(_MIN_GAP_S, _GAP_FRAMES / fps)


class CameraPipeline:
    """Takes the frames of one camera, in order. The detector may serve other cameras too; the rest is this one's."""

    def __init__(
        self,
        camera: str,
        detector: Detector,
        tracker: ByteTrack,
        presence: Presence,
        *,
        analyses: Sequence[Analysis] = (),
        row: RowCount | None = None,
        finder: PlaceFinder | None = None,
        sight: Sight | None = None,
    ) -> None:
        """Take the parts; all but the detector must be new, and nobody else's."""
        self.camera = camera
        self._detector = detector
        self._tracker = tracker
        self._presence = presence
        self._analyses = tuple(analyses)
        self._row = row
        self._finder = finder
        self._sight = sight
        self._session: int | None = None
        self._held: Detections | None = None  # of the tracks of the last frame: what a still frame shows

    @classmethod
    def for_camera(
        cls,
        camera: str,
        detector: Detector,
        *,
        confidence: float,
        fps: float,
        analyses: Sequence[Analysis] = (),
        row: RowCount | None = None,
        finder: PlaceFinder | None = None,
        sight: Sight | None = None,
    ) -> Self:
        """Return the pipeline that a camera gets.

        Args:
            camera: Its name.
            detector: Should give detections below ``confidence`` too, down to 0.1: they help to follow what is known.
            confidence: Score from which a detection may start a track; in (0, 1).
            fps: Frames a second that will come when none is dropped.
            analyses: What is made of the tracks beyond their presence.
            row: Counts the fruit of a row, from the detections.
            finder: Tells where the camera is; None: nobody knows.
            sight: Tells whether the camera can see; None: it is taken to.

        Raises:
            ValueError: ``confidence`` or ``fps`` is out of range.
        """
        if not fps > 0:
            raise ValueError(f"fps: found {fps}; allowed: more than 0")
        tracker = ByteTrack(TrackerParams.at(confidence=confidence, frame_interval_s=1 / fps))
        presence = Presence(camera, detector.info.class_names, max_gap_s=longest_step_s(fps))
        return cls(camera, detector, tracker, presence, analyses=analyses, row=row, finder=finder, sight=sight)

    def step(self, frame: Frame, seen: Detections | None = None, *, paced_s: float = 0.0) -> Step:
        """Analyse the next frame. In a still one, what was tracked last is taken to be where it was.

        A camera that cannot see has nothing to analyse: that frame says how long it was blind, and no more.

        Args:
            frame: In order.
            seen: What the detector sees in it, where it has looked already.
            paced_s: How far apart this camera's frames are now because the detector has no more time for it; 0: it has.

        Raises:
            ValueError: The frame is of another camera, is no picture, or the detector gave impossible values.
            RejectedError: The detector cannot use this frame.
        """
        if frame.camera != self.camera:
            raise ValueError(f"frame of camera {frame.camera!r} came to the pipeline of {self.camera!r}")
        self._notice_session(frame)
        sighting = self._sight.look(frame, paced_s=paced_s) if self._sight is not None else Sighting()
        if not sighting.sees:
            return self._blind(frame, sighting)
        held, self._held = self._held if frame.still else None, None
        detections = held if held is not None else seen if seen is not None else self._detector.detect(frame.pixels)
        tracks = self._tracker.update(detections, frame.captured)
        presence = self._presence.observe(tracks, frame.captured, paced_s=paced_s)
        if not sighting.observes:
            presence = replace(presence, observed_ns=0)
        measures = sighting.measures if held is None else (*sighting.measures, _STILL)
        presence = replace(presence, measures=(*presence.measures, *measures), events=sighting.events)
        found = [each.observe(frame, tracks, observed_ns=presence.observed_ns) for each in self._analyses]
        if self._row is not None:
            found.append(self._row.observe(frame, detections))
        step = Step(frame, detections, tracks, self._with_place(_with_findings(presence, found)))
        self._held = Detections(tracks.boxes, tracks.scores, tracks.class_ids)
        return step

    def _notice_session(self, frame: Frame) -> None:
        """Leave a gap where the camera was away, however short: a slow one is missed for long before it shows."""
        if frame.session != self._session:
            self._presence.lose_sight()
        self._session = frame.session

    def _blind(self, frame: Frame, sighting: Sighting) -> Step:
        """Say nothing of what is there. To tracker and analyses it is as if no frame had come."""
        self._presence.lose_sight()
        said = Observation(self.camera, frame.captured, 0, (), sighting.measures, sighting.events)
        return Step(frame, Detections.none(), Tracks.none(), self._with_place(said))

    def finish(self, at: Instant) -> Observation:
        """Return what the analyses have left to say, at the end of the program; it stands for no time watched."""
        nothing = Observation(self.camera, at, 0, ())
        found = [each.finish(at) for each in self._analyses]
        if self._row is not None:
            found.append(self._row.finish(at))
        return _with_findings(nothing, found)

    def _with_place(self, observation: Observation) -> Observation:
        if self._finder is None:
            return observation
        measures = self._finder.measures(observation.at)
        place = self._finder.place(observation.at)
        return replace(observation, measures=(*observation.measures, *measures), place=place)


def _with_findings(observation: Observation, found: Sequence[Findings]) -> Observation:
    """Add what the analyses found to what is known of a frame."""
    return replace(
        observation,
        counts=observation.counts + tuple(count for each in found for count in each.counts),
        measures=observation.measures + tuple(measure for each in found for measure in each.measures),
        events=observation.events + tuple(event for each in found for event in each.events),
    )
