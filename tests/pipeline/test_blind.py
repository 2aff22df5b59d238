"""A camera that cannot see: nothing of what is there is said, and the time does not count as observed."""

from dataclasses import replace

import numpy as np

from agent.analytics.sight import Sight
from agent.pipeline import CameraPipeline
from agent.summaries import RollupWindows
from agent.types import ANY, Frame, Instant
from tests.pipeline.scripted import ScriptedDetector, frame_of

START_NS = 1_700_000_000 * 10**9 // (60 * 10**9) * 60 * 10**9


def frame(index: int, *, dark: bool) -> Frame:
    """A picture at two frames a second; the small luma shows a scene, or black."""
    rng = np.random.default_rng(index)
    coarse = np.kron(rng.integers(40, 220, (10, 18)), np.ones((9, 9)))
    small = np.clip(coarse + rng.normal(0, 3, coarse.shape), 0, 255).astype(np.uint8)
    at = Instant(START_NS + index * 5 * 10**8, index * 5 * 10**8, 1)
    return replace(frame_of("cam", index), captured=at, small=np.zeros_like(small) if dark else small)


def test_blind_time_is_neither_observed_nor_empty():
    """A minute with 20 dark seconds is observed or blind, and for 5 seconds more blind; the object counts once."""
    sight = Sight("cam", max_gap_s=2.0, view=None)
    pipeline = CameraPipeline.for_camera("cam", ScriptedDetector(), confidence=0.25, fps=2, sight=sight)
    windows = RollupWindows(60)
    steps = [pipeline.step(frame(index, dark=40 <= index < 80)) for index in range(121)]
    for step in steps:
        windows.add(step.observation)
    records = windows.close(Instant(START_NS + 100 * 10**9, 100 * 10**9, 1))
    everything = next(
        r for r in records if (getattr(r, "frames", 0), r.class_name) != (0, ANY) and hasattr(r, "frames")
    )
    blind = next(r for r in records if not hasattr(r, "frames") and r.name == "blind_s")
    assert 34 <= everything.observed_ms / 1000 <= 36
    assert 59 <= everything.observed_ms / 1000 + blind.total <= 60
    assert everything.unique == 1
    assert [event.data["state"] for step in steps for event in step.observation.events] == ["dark", "clear"]
    assert len(steps[70].tracks) == 0
    assert steps[70].observation.counts == ()


def test_a_blind_camera_costs_no_detector():
    """While it is dark, the detector is not asked."""
    sight = Sight("cam", max_gap_s=2.0, view=None)
    detector = ScriptedDetector()
    pipeline = CameraPipeline.for_camera("cam", detector, confidence=0.25, fps=2, sight=sight)
    for index in range(20):
        pipeline.step(frame(index, dark=True))
    bad = replace(frame(20, dark=True), pixels=np.full((48, 64, 3), 255, np.uint8))
    assert len(pipeline.step(bad).detections) == 0
