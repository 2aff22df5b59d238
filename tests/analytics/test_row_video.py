"""The fruit of real rows: the bundled model on the pan video, at a third of its frames."""

import json
from itertools import pairwise

import numpy as np
import pytest

from agent.analytics.row import BUNDLED
from agent.types import ANY
from benchmarks.row_references import track_ids
from benchmarks.row_video import ours

FPS, WIDTH = 5.0, 1280


def passed(frames: list[list[list[float]]]) -> float:
    """How far a segment's true boxes moved to the left, pixels: from frame to frame, the median of those in both."""
    way = 0.0
    for before, after in pairwise(
        {int(i): box for i, *box in frame if box[0] > 0 and box[2] < WIDTH} for frame in frames
    ):
        way += float(np.median([before[i][0] - after[i][0] for i in before.keys() & after.keys()]))
    return way


def test_trees_of_a_video(shared_data):
    """Each tree is a segment, the band holds the truth of five of six, and the sum strays by no more than twice what
    the band says of it, and by less than the ids of ultralytics' tracker.
    """
    video = shared_data / "video" / "orchard_pan_dev.mp4"
    segments = json.loads(video.with_suffix(".json").read_text("utf-8"))["segments"]
    truth = [segment["unique_fruit"] for segment in segments]
    found = {}
    reports = [event.data for event in ours(video, FPS, found) if event.data["class"] == ANY]
    assert [report["segment"] for report in reports] == [1, 2, 3, 4, 5, 6]
    step = round(15 / FPS)
    for report, segment in zip(reports, segments, strict=True):
        seen = segment["boxes"][::step]  # the first frame of each segment is one that was looked at
        assert report["length_px"] - WIDTH == pytest.approx(passed(seen), rel=0.03)
    held = [report["low"] <= true <= report["high"] for report, true in zip(reports, truth, strict=True)]
    assert sum(held) >= 5
    off = sum(report["count"] for report in reports) - sum(truth)
    assert abs(off) <= 2 * (BUNDLED.spread * sum(truth)) ** 0.5
    pytest.importorskip("ultralytics")
    assert abs(off) < abs(len(list(track_ids(found.items()))) - sum(truth))
