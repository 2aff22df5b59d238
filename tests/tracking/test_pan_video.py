"""The tracker on the true boxes of a real pan along six apple trees."""

import numpy as np
import pytest

from agent.tracking import ByteTrack, TrackerParams
from tests.tracking.scenes import Score, at, detections_of, fruit_of, load_pan, score, spoilt


@pytest.mark.parametrize(
    ("every", "jitter", "missed", "most_switches"),
    [(1, 0, 0, 12), (1, 0.05, 0, 18), (1, 0.05, 0.1, 15), (3, 0, 0, 12), (3, 0.05, 0, 15), (3, 0.05, 0.1, 35)],
)
def test_fruit_is_counted_once(shared_data, every, jitter, missed, most_switches):
    """Of 348 fruits, at 15 and at 5 frames a second, with jitter and misses, the ids are right to a tenth."""
    pan = load_pan(shared_data)
    tracker = ByteTrack(TrackerParams(frame_interval_s=every / pan.fps))
    random = np.random.default_rng(0)
    reports = []
    for number in range(0, len(pan.frames), every):
        frame = spoilt(pan.frames[number], random, jitter=jitter, missed=missed)
        report = tracker.update(detections_of(frame), at(number / pan.fps))
        reports.append(list(zip(report.track_ids.tolist(), fruit_of(report.boxes, frame), strict=True)))
    result = score(reports)
    assert abs(result.ids - pan.unique_fruit) <= 0.1 * pan.unique_fruit, result
    assert result.switches <= most_switches, result


def test_random_drops_do_not_matter(shared_data):
    """With half of the frames dropped at random, as on a busy box, the ids are still right to a tenth."""
    pan = load_pan(shared_data)
    tracker = ByteTrack(TrackerParams(frame_interval_s=1 / pan.fps))
    random = np.random.default_rng(8)
    reports = []
    for number, frame in enumerate(pan.frames):
        if random.random() < 0.5:
            continue
        report = tracker.update(detections_of(frame), at(number / pan.fps))
        reports.append(list(zip(report.track_ids.tolist(), fruit_of(report.boxes, frame), strict=True)))
    result: Score = score(reports)
    assert abs(result.ids - pan.unique_fruit) <= 0.1 * pan.unique_fruit, result
    assert result.switches <= 15, result
