"""A line, a thousand objects, a bad detector and the real tracker."""

from collections import Counter

from agent.analytics.lines import LineAnalysis
from agent.config import LineConfig
from agent.tracking import ByteTrack, TrackerParams
from agent.types import ANY
from tests.analytics.walks import Eye, Walk, crossers, frame_at, play, turners

FPS = 10.0
DOWN_THE_MIDDLE = LineConfig(name="gate", points=((0.5, 0.0), (0.5, 1.0)))


def count(walks: list[Walk], *, seed: int) -> Counter[str]:
    """Crossings by direction, as the camera's pipeline would find them."""
    tracker = ByteTrack(TrackerParams.at(confidence=0.25, frame_interval_s=1 / FPS))
    line = LineAnalysis((DOWN_THE_MIDDLE,), "gate", ("person", "car"))
    found = Counter()
    for now_s, detections in play(walks, Eye(), fps=FPS, seed=seed):
        frame = frame_at(now_s)
        tracks = tracker.update(detections, frame.captured)
        measures = line.observe(frame, tracks, observed_ns=round(1e9 / FPS)).measures
        found.update(measure.name for measure in measures if measure.class_name == ANY)
    return found


def test_a_thousand_crossings():
    """Of 1,000 objects, half each way, that flicker on the line or are hidden around it, at most 5 are miscounted.

    Boxes jitter by 5%, 10% are missed, 10% are dim and 5% are of nothing. A hundred more come near and turn back.
    """
    walks = crossers(1000, seed=1)
    walks += turners(100, start_s=walks[-1].times_s[-1] + 12, seed=2)
    found = count(walks, seed=3)
    assert abs(found["crossed_in"] + found["crossed_out"] - 1000) <= 5
    assert abs(found["crossed_in"] - 500) <= 5
    assert abs(found["crossed_out"] - 500) <= 5
