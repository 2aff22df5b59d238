"""Slow cameras: time between their frames is watched; time in which they were away is not."""

from dataclasses import replace

import numpy as np
import pytest

from agent.analytics import create_analyses
from agent.analytics.sight import Sight
from agent.config import CameraConfig
from agent.pipeline import CameraPipeline, Step
from agent.summaries import RollupWindows
from agent.types import ANY, Detections, Frame, Image, Instant, Rollup
from tests.pipeline.scripted import INFO

APPLE, EMPTY = np.full((48, 64, 3), 90, np.uint8), np.full((48, 64, 3), 200, np.uint8)
START_S = 1_700_000_040  # a full minute


class Looker:
    """Finds one apple in the dark picture, and nothing in the bright one."""

    info = INFO

    def detect(self, image: Image) -> Detections:
        if image[0, 0, 0] == EMPTY[0, 0, 0]:
            return Detections.none()
        return Detections(np.float32([[20, 12, 44, 36]]), np.float32([0.9]), np.int64([0]))

    def close(self) -> None:
        pass


def camera_of(sampling: str) -> CameraConfig:
    zone = {"name": "yard", "polygon": [[0.05, 0.05], [0.95, 0.05], [0.95, 0.95], [0.05, 0.95]], "loiter_s": 30}
    return CameraConfig.model_validate(
        {"name": "cam", "source": "rtsp://127.0.0.1/x", "sampling": sampling, "zones": [zone]}
    )


def pipeline_of(sampling: str, *, sight: bool = False) -> CameraPipeline:
    camera = camera_of(sampling)
    return CameraPipeline.for_camera(
        "cam",
        Looker(),
        confidence=0.25,
        fps=camera.fps,
        analyses=create_analyses(camera, INFO.class_names),
        sight=Sight("cam", max_gap_s=2.0, view=None) if sight else None,
    )


def frame_at(at_s: float, image: Image = APPLE, *, session: int = 1) -> Frame:
    at = Instant((START_S * 10**9) + round(at_s * 1e9), round(at_s * 1e9), 1)
    return Frame("cam", round(at_s * 10), at, image, image[..., 0], session=session)


def observed_s(steps: list[Step]) -> list[float]:
    return [step.observation.observed_ns / 1e9 for step in steps]


def test_key_frames_four_seconds_apart_are_watched_whole():
    """At key frames each 4 s all the time is watched, a stay of a minute has its length, and occupancy is one."""
    pipeline, windows = pipeline_of("keyframes"), RollupWindows()
    windows.watch("cam", frame_at(3).captured, interval_s=4.0)
    rollups, measures, events = [], [], []
    for number in range(60):
        at_s = 3.0 + 4.0 * number  # so the first frame after a minute comes 3 s after its end
        step = pipeline.step(frame_at(at_s, APPLE if 12 <= at_s < 76 else EMPTY))
        windows.add(step.observation)
        measures += step.observation.measures
        events += step.observation.events
        for passed_s in range(4):
            rollups += windows.close(frame_at(at_s + passed_s).captured)
    (dwell_s,) = (one.value for one in measures if (one.zone, one.class_name, one.name) == ("yard", "apple", "dwell_s"))
    assert dwell_s == pytest.approx(
        60 - 4, abs=4.01
    )  # seen from 15 to 75; whoever is there is reported at second sight
    assert [event.kind for event in events] == ["loitering"]
    whole = [one for one in rollups if isinstance(one, Rollup) and (one.zone, one.class_name) == (ANY, ANY)]
    assert [one.observed_ms for one in whole] == [57_000, 60_000, 60_000]  # each minute once: nothing came late for it
    assert whole[0].presence / whole[0].frames == pytest.approx(11 / 15, abs=0.1)


def test_a_camera_slower_than_its_configuration_is_watched():
    """Frames that always come 2.5 s apart are watched, from when that is known to be its pace."""
    pipeline = pipeline_of("fps:5")
    steps = [pipeline.step(frame_at(2.5 * number)) for number in range(40)]
    assert observed_s(steps)[:6] == [0.0] * 6  # the first, and five that might have been gaps
    assert observed_s(steps)[6:] == [2.5] * 34


def test_frames_that_stop_are_a_gap_at_any_pace():
    """At 5 frames a second a pause of three seconds is a gap; at one frame in 4 s one of a quarter of a minute is."""
    for sampling, step_s, pause_s in (("fps:5", 0.2, 3.0), ("keyframes", 4.0, 15.0)):
        pipeline = pipeline_of(sampling)
        times_s = [step_s * number for number in range(20)]
        times_s += [times_s[-1] + pause_s + step_s * number for number in range(3)]
        steps = [pipeline.step(frame_at(at_s)) for at_s in times_s]
        assert observed_s(steps)[20:] == pytest.approx([0.0, step_s, step_s])


def test_bursts_do_not_pass_for_a_slow_camera():
    """A camera that gives two frames and then pauses, again and again, is watched in its bursts alone."""
    pipeline = pipeline_of("fps:5")
    steps = [pipeline.step(frame_at(8.0 * burst + 0.2 * number)) for burst in range(10) for number in range(2)]
    assert sum(observed_s(steps)) == pytest.approx(10 * 0.2)


def test_turns_that_time_allows_only_rarely_are_watched():
    """Where the detector has time for a frame in three seconds, each stands for them, from the first on."""
    pipeline = pipeline_of("fps:5")
    steps = [pipeline.step(frame_at(3.0 * number), paced_s=3.0) for number in range(5)]
    assert observed_s(steps) == [0.0, 3.0, 3.0, 3.0, 3.0]


def test_time_between_two_sessions_is_not_watched():
    """A camera that was opened anew was away, though its next frame comes sooner than a gap would take."""
    pipeline = pipeline_of("keyframes")
    steps = [pipeline.step(frame_at(4.0 * number, session=1 + (number >= 3))) for number in range(5)]
    assert observed_s(steps) == [0.0, 4.0, 4.0, 0.0, 4.0]


def test_a_slow_camera_is_blind_for_as_long_as_it_sees_nothing():
    """Of a camera with a frame each 4 s, the time in the dark is blind; the time between two sessions is not."""
    pipeline = pipeline_of("keyframes", sight=True)
    dark = np.zeros_like(APPLE)
    frames = [frame_at(4.0 * number, dark) for number in range(12)]
    frames += [replace(frame_at(48.0 + 4.0 * number, dark), session=2) for number in range(2)]
    blind_s = [
        one.value for frame in frames for one in pipeline.step(frame).observation.measures if one.name == "blind_s"
    ]
    assert blind_s == [4.0] * 6 + [4.0]  # not before its pace was known, and not between the sessions
