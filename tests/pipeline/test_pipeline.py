"""One camera's pipeline, with the real detector on real pictures."""

import cv2
import numpy as np
import pytest

from agent.detection import open_detector
from agent.pipeline import CameraPipeline
from agent.types import ANY, Frame, Instant

FPS = 15


@pytest.fixture(scope="module")
def detector(bundled_model):
    detector = open_detector(bundled_model)
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def frames(shared_data) -> list[Frame]:
    """Two seconds of the pan video."""
    video = cv2.VideoCapture(str(shared_data / "video" / "orchard_pan_dev.mp4"))
    images = [video.read()[1] for _ in range(2 * FPS)]
    video.release()
    return [frame(index, image) for index, image in enumerate(images)]


def frame(index: int, image: np.ndarray, camera: str = "row-1") -> Frame:
    passed_ns = index * 1_000_000_000 // FPS
    return Frame(camera, index, Instant(1_700_000_000_000_000_000 + passed_ns, passed_ns, 1), image)


def test_steps_fit_together(detector, frames):
    """Over two seconds of an orchard, tracks come from detections, and observations count these tracks."""
    pipeline = CameraPipeline.for_camera("row-1", detector, confidence=0.25, fps=FPS)
    steps = [pipeline.step(one) for one in frames]
    assert sum(len(step.tracks) for step in steps) > 200
    assert {step.frame.index for step in steps} == set(range(2 * FPS))
    for step in steps:
        assert step.detections.boxes.dtype == step.tracks.boxes.dtype == np.float32
        given = {tuple(box) for box in step.detections.boxes.tolist()}
        assert {tuple(box) for box in step.tracks.boxes.tolist()} <= given
        everything = step.observation.counts[0]
        assert (everything.zone, everything.class_name, everything.present) == (ANY, ANY, len(step.tracks))
        assert everything.unique == step.tracks.fresh.sum()
        assert step.observation.at == step.frame.captured
    ids = {track_id for step in steps for track_id in step.tracks.track_ids.tolist()}
    assert sum(step.observation.counts[0].unique for step in steps) == len(ids) == max(ids)
    assert sum(step.observation.observed_ns for step in steps) == frames[-1].captured.monotonic_ns


def test_cameras_share_the_detector_only(detector, frames):
    """Two cameras' pipelines on one detector, frame by frame in turn, each see what one alone sees."""

    def pipeline(camera: str) -> CameraPipeline:
        return CameraPipeline.for_camera(camera, detector, confidence=0.25, fps=FPS)

    alone = pipeline("row-1")
    expected = [alone.step(one).tracks.track_ids.tolist() for one in frames[:8]]
    first, second = pipeline("row-1"), pipeline("row-2")
    for number in range(8):
        assert first.step(frames[number]).tracks.track_ids.tolist() == expected[number]
        second.step(frame(number, frames[-number - 1].image, "row-2"))


def test_frame_of_another_camera_is_refused(detector, frames):
    """A frame that went astray raises, and is not counted."""
    pipeline = CameraPipeline.for_camera("row-2", detector, confidence=0.25, fps=FPS)
    with pytest.raises(ValueError, match="'row-1' came to the pipeline of 'row-2'"):
        pipeline.step(frames[0])


@pytest.mark.parametrize(
    ("confidence", "fps", "names"), [(1.5, 5, "track_high_thresh"), (0.25, 0, "fps"), (0.25, -5, "fps")]
)
def test_impossible_settings_are_refused(detector, confidence, fps, names):
    """A confidence or frame rate out of range is named."""
    with pytest.raises(ValueError, match=names):
        CameraPipeline.for_camera("row-1", detector, confidence=confidence, fps=fps)


@pytest.mark.parametrize("fps", [0.2, 1, 5, 30])
def test_slow_cameras_leave_no_gap(detector, frames, fps):
    """At any configured frame rate, frames that come at it are time that was watched."""
    pipeline = CameraPipeline.for_camera("row-1", detector, confidence=0.25, fps=fps)
    times_ns = [round(number * 1e9 / fps) for number in range(3)]
    black = np.zeros((64, 64, 3), np.uint8)
    steps = [pipeline.step(Frame("row-1", n, Instant(t, t, 1), black)) for n, t in enumerate(times_ns)]
    assert sum(step.observation.observed_ns for step in steps) == times_ns[-1]
