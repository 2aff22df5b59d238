"""The analysing thread: fair to all cameras, stopped by none."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Self

import cv2
import pytest
from structlog.testing import capture_logs

from agent.analysis import AnalysisLoop, Feed
from agent.analytics import Presence
from agent.capture import FrameSlot
from agent.clock import ManualClock
from agent.errors import RejectedError
from agent.pipeline import CameraPipeline, Step
from agent.tracking import ByteTrack, TrackerParams
from agent.turns import Share
from agent.types import Detections, Image
from tests.pipeline.scripted import ScriptedDetector, frame_of

WAIT_S = 5.0


class Running:
    """A loop on a thread of its own over some cameras, and what comes out of it."""

    def __init__(self, *cameras: str, detector: ScriptedDetector | None = None) -> None:
        arrived = threading.Event()
        self.steps: list[Step] = []
        self.beats = 0
        self.gate = threading.Event()  # closed, it holds the loop inside of on_step
        self.gate.set()
        self.clock = ManualClock()
        self.slots = {camera: FrameSlot(arrived, clock=self.clock, max_age_s=3.0) for camera in cameras}
        detector = detector or ScriptedDetector()
        feeds = [
            Feed(slot, self._pipeline(camera, detector), Share(camera, fps=10)) for camera, slot in self.slots.items()
        ]
        self.loop = AnalysisLoop(feeds, arrived, self._note, clock=self.clock)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.loop.run, args=(self.stop, self._beat))

    def _pipeline(self, camera: str, detector: ScriptedDetector) -> CameraPipeline:
        tracker = ByteTrack(TrackerParams(min_hits=1))
        return CameraPipeline(camera, detector, tracker, Presence(camera, detector.info.class_names))

    def _note(self, step: Step) -> None:
        self.steps.append(step)
        assert self.gate.wait(WAIT_S)

    def _beat(self) -> None:
        self.beats += 1

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self.stop.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()

    def put(self, camera: str, index: int, *, bad: bool = False) -> None:
        self.slots[camera].put(frame_of(camera, index, bad=bad))

    @property
    def seen(self) -> list[tuple[str, int]]:
        return [(step.frame.camera, step.frame.index) for step in self.steps]

    def wait_until(self, condition) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, self.seen
            time.sleep(0.002)


def test_each_frame_becomes_a_step():
    """Frames of a camera come out in order, tracked and counted."""
    with Running("a") as running:
        for index in range(5):
            running.put("a", index)
            running.wait_until(lambda wanted=index + 1: len(running.steps) == wanted)
    assert running.seen == [("a", index) for index in range(5)]
    assert [step.observation.counts[0].unique for step in running.steps] == [1, 0, 0, 0, 0]
    assert running.loop.analysed == {"a": 5}


def test_cameras_take_turns():
    """A camera that always has a frame waiting does not keep the others from theirs."""
    with Running("busy", "calm", "quiet") as running:
        running.gate.clear()
        running.put("busy", 0)
        running.wait_until(lambda: running.steps)
        for index in range(1, 4):
            running.put("busy", index)  # while the loop is held: only the newest will be left
        running.put("calm", 0)
        running.put("quiet", 0)
        running.gate.set()
        running.wait_until(lambda: len(running.steps) == 4)
    assert running.seen == [("busy", 0), ("calm", 0), ("quiet", 0), ("busy", 3)]


def test_each_camera_has_its_own_tracks():
    """Ids count from 1 for each camera, though one detector and one thread serve all."""
    with Running("a", "b") as running:
        for camera in ("a", "b"):
            running.put(camera, 0)
        running.wait_until(lambda: len(running.steps) == 2)
    assert [step.tracks.track_ids.tolist() for step in running.steps] == [[1], [1]]


@pytest.mark.parametrize("error", [ValueError, RejectedError, cv2.error])
def test_bad_frames_stop_nobody(error):
    """Frames that cannot be analysed are counted and logged once, and the other camera and the next frames go on."""
    with capture_logs() as logs, Running("bad", "good", detector=ScriptedDetector(error)) as running:
        for index in range(4):
            running.put("bad", index, bad=True)
            running.put("good", index)
            running.wait_until(lambda wanted=index + 1: running.loop.rejected["bad"] == wanted)
            running.wait_until(lambda wanted=index + 1: running.loop.analysed["good"] == wanted)
        running.put("bad", 4)
        running.wait_until(lambda: running.loop.analysed["bad"] == 1)
    assert running.loop.rejected == {"bad": 4, "good": 0}
    assert [entry["event"] for entry in logs] == ["frame_rejected", "frames_analysed_again"]
    assert "this picture is bad" in logs[0]["error"]
    assert logs[1]["rejected"] == 4


def test_fault_of_the_program_ends_the_thread():
    """An error that no frame can cause is not swallowed: the supervisor is to see it."""
    running = Running("a", detector=ScriptedDetector(ZeroDivisionError))
    running.put("a", 0, bad=True)
    with pytest.raises(ZeroDivisionError):
        running.loop.run(running.stop, lambda: None)


def test_idle_loop_beats_and_stops():
    """Without any frame it beats about twice a second, does not spin, and stops within a second."""
    with Running("a") as running:
        time.sleep(1.2)
        assert 2 <= running.beats <= 6
        started = time.monotonic()
        running.stop.set()
        running.thread.join(WAIT_S)
    assert time.monotonic() - started < 1


def test_a_frame_that_waited_too_long_is_passed_over():
    """A picture older than the camera's limit when its turn comes is counted and not analysed; the next one is."""
    with Running("a") as running:
        running.clock.advance(3.5)
        running.put("a", 0)  # taken at 0 s: the limit is 3 s
        running.wait_until(lambda: running.slots["a"].late == 1)
        running.put("a", 30)
        running.wait_until(lambda: running.loop.analysed["a"] == 1)
    assert running.seen == [("a", 30)]
    assert running.loop.rejected == {"a": 0}


def test_service_tells_what_is_granted():
    """Where time suffices every camera is granted what it wants, and its cost is known after a picture."""
    with Running("a", "b") as running:
        running.put("a", 0)
        running.wait_until(lambda: running.loop.analysed["a"] == 1)
        running.wait_until(lambda: running.loop.service()["a"].cost_ms is not None)
        service = running.loop.service()
    assert (service["a"].wanted_fps, service["a"].granted_fps) == (10, 10)
    assert service["b"].cost_ms is None


class SlowDetector(ScriptedDetector):
    """Takes fifteen frames of a camera to look at one."""

    deliver: Callable[[], None]

    def detect(self, image: Image) -> Detections:
        for _ in range(15):
            self.deliver()
        return super().detect(image)


def test_a_camera_that_waits_for_its_turn_is_watched_meanwhile():
    """Of a camera that gives five frames a second to a detector that takes three seconds, the time is watched."""
    detector = SlowDetector()
    running = Running("a", detector=detector)

    def deliver() -> None:
        running.clock.advance(0.2)
        running.put("a", running.clock.now().monotonic_ns // 10**8)

    detector.deliver = deliver
    with running:
        deadline = time.monotonic() + WAIT_S
        while len(running.steps) < 8 and time.monotonic() < deadline:
            deliver()
            time.sleep(0.002)
    steps = running.steps[3:]  # rates are known by then; a pace is learned only from the seventh on
    assert [step.observation.observed_ns for step in steps] == [
        after.frame.captured.monotonic_ns - before.frame.captured.monotonic_ns
        for before, after in pairwise(running.steps[2:])
    ]
    assert len(steps) >= 5
