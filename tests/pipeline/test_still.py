"""Still frames: what the last look saw holds, and no detector is asked."""

from dataclasses import replace

import numpy as np
import pytest

from agent.pipeline import CameraPipeline
from agent.types import Detections, Frame, Image
from tests.pipeline.scripted import ScriptedDetector, frame_of


class Flickering(ScriptedDetector):
    """Finds an apple, and in the pictures that its script names a pear beside it; counts how often it was asked."""

    def __init__(self, pears: set[int]) -> None:
        super().__init__()
        self.asked = 0
        self._pears = pears

    def detect(self, image: Image) -> Detections:
        apple = super().detect(image)
        self.asked += 1
        if self.asked not in self._pears:
            return apple
        return Detections(np.float32([[10, 10, 40, 40], [44, 10, 60, 40]]), np.float32([0.9, 0.9]), np.int64([0, 1]))


def pipeline_of(detector: ScriptedDetector) -> CameraPipeline:
    return CameraPipeline.for_camera("cam", detector, confidence=0.25, fps=10)


def still(index: int) -> Frame:
    return replace(frame_of("cam", index), still=True)


def test_what_was_seen_holds():
    """Over a minute of still frames an object stays, under its id, counted once; the time counts as observed."""
    detector = Flickering(set())
    pipeline = pipeline_of(detector)
    steps = [pipeline.step(frame_of("cam", index)) for index in range(3)]
    steps += [pipeline.step(still(index)) for index in range(3, 600)]
    assert detector.asked == 3
    assert [step.tracks.track_ids.tolist() for step in steps[2:]] == [[1]] * 598
    assert sum(step.observation.counts[0].unique for step in steps) == 1
    assert sum(step.observation.observed_ns for step in steps) == 599 * 10**8
    stills = [measure.value for step in steps for measure in step.observation.measures]
    assert stills == [1.0] * 597


def test_a_look_after_still_frames_knows_the_object():
    """When the detector looks again after a minute, the object that stood there is the same, and not counted again."""
    detector = Flickering(set())
    pipeline = pipeline_of(detector)
    for index in range(600):
        pipeline.step(frame_of("cam", index) if index < 3 else still(index))
    step = pipeline.step(frame_of("cam", 600))
    assert step.tracks.track_ids.tolist() == [1]
    assert not step.tracks.fresh.any()


def test_a_slip_of_the_detector_is_not_held():
    """What the detector saw once, in the last picture before still ones, is not repeated until it counts as seen."""
    detector = Flickering({3})
    pipeline = pipeline_of(detector)
    steps = [pipeline.step(frame_of("cam", index) if index < 3 else still(index)) for index in range(50)]
    assert sum(step.observation.counts[0].unique for step in steps) == 1


def test_nothing_is_held_before_a_look():
    """A still frame with nothing before it, or after one that could not be analysed, is shown to the detector."""
    detector = Flickering(set())
    pipeline = pipeline_of(detector)
    pipeline.step(still(0))
    assert detector.asked == 1
    with pytest.raises(ValueError, match="bad"):
        pipeline.step(frame_of("cam", 1, bad=True))
    pipeline.step(still(2))
    assert detector.asked == 2
