"""Frames that several detectors look at at a time."""

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from agent.detection import look_ahead, open_detector, open_detectors
from agent.errors import RejectedError
from agent.types import Detections, Frame, Image, Instant
from tests.pipeline.scripted import INFO, ScriptedDetector, frame_of

_LONGEST_S = 20.0


class Counting:
    """Finds as many apples as the frame's number says, once all of its fellows look at a frame, too."""

    def __init__(self, together: threading.Barrier) -> None:
        self.info = INFO
        self._together = together

    def detect(self, image: Image) -> Detections:
        self._together.wait(_LONGEST_S)
        count = int(image[0, 0, 0])
        return Detections(np.zeros((count, 4), np.float32), np.zeros(count, np.float32), np.zeros(count, np.int64))

    def close(self) -> None:
        pass


def numbered(count: int) -> list[Frame]:
    return [Frame("cam", n, Instant(n, n, 1), np.full((4, 4, 3), n, np.uint8)) for n in range(count)]


def test_all_look_at_a_time_and_frames_keep_their_order():
    """Three detectors look at three frames at once, and each frame comes out with what was seen in it, in order."""
    together = threading.Barrier(3)
    seen = list(look_ahead([Counting(together) for _ in range(3)], numbered(12)))
    assert [(frame.index, len(found)) for frame, found in seen] == [(n, n) for n in range(12)]


def test_few_frames_are_taken_ahead():
    """One frame more than there are detectors waits at most, however slow the taker is."""
    taken = []

    def frames() -> Iterator[Frame]:
        for index in range(20):
            taken.append(index)
            yield frame_of("cam", index)

    ahead = look_ahead([ScriptedDetector(), ScriptedDetector()], frames())
    for index in range(5):
        frame, _ = next(ahead)
        assert frame.index == index
        assert len(taken) == index + 3
    ahead.close()
    assert len(taken) == 7


@pytest.mark.parametrize("bad", [0, 3, 7])
def test_what_a_detector_raises_is_raised(bad):
    """An error comes in its frame's place, after the frames before it."""
    frames = [frame_of("cam", index, bad=index == bad) for index in range(8)]
    detectors = [ScriptedDetector(RejectedError) for _ in range(2)]
    seen: list[int] = []
    with pytest.raises(RejectedError, match="this picture is bad"):
        seen.extend(frame.index for frame, _ in look_ahead(detectors, frames))  # those before the error stay
    assert seen == list(range(bad))


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_detectors_side_by_side_see_what_one_sees(bundled_model, monkeypatch, require_module, backend):
    """Of the same frames, detectors on one loaded model find at a time what a single one finds."""
    require_module(backend)
    monkeypatch.setattr("agent.detection.detector.os.sched_getaffinity", lambda _pid: {0, 1, 2})
    rng = np.random.default_rng(3)
    frames = [
        Frame("cam", n, Instant(n, n, 1), rng.integers(0, 256, (360 + 40 * n, 640, 3), np.uint8)) for n in range(7)
    ]
    alone = open_detector(bundled_model, backend=backend, min_score=0.001)
    several = open_detectors(bundled_model, backend=backend, min_score=0.001)
    assert len(several) == 3
    for frame, found in look_ahead(several, frames):
        expected = alone.detect(frame.image)
        assert len(found) > 0
        assert np.allclose(found.scores[:20], expected.scores[:20], atol=0.01)
    for detector in (alone, *several):
        detector.close()
        with pytest.raises(ValueError, match="closed"):
            detector.detect(frames[0].image)


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_openvino_is_told_what_it_is_for(bundled_model, monkeypatch, at_a_time):
    """One detector takes all threads for a frame, which is soonest done; several share them, a frame each."""
    monkeypatch.setattr("agent.detection.detector.os.sched_getaffinity", lambda _pid: set(range(at_a_time)))
    opened = open_detectors(bundled_model, backend="openvino")
    runs = opened[0]._request.get_compiled_model()
    assert len(opened) == at_a_time
    assert runs.get_property("NUM_STREAMS") == min(at_a_time, os.cpu_count())
    for detector in opened:
        detector.close()


def test_onnxruntime_waits_without_spinning(bundled_model, require_module):
    """Between two frames of a camera its threads sleep: they take no processor time that nobody asked for."""
    require_module("onnxruntime")
    detector = open_detector(bundled_model, backend="onnxruntime")
    options = detector._session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    detector.close()
