"""What holds for the tracker whatever it is shown, and at whatever times."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.tracking import ByteTrack, TrackerParams
from tests.tracking.scenes import at, box, seen

places = st.tuples(
    st.integers(0, 12).map(lambda step: 15.0 * step),
    st.integers(0, 3).map(lambda step: 20.0 * step),
    st.sampled_from([0.05, 0.15, 0.3, 0.6, 0.95]),
    st.integers(0, 2),
)
frames = st.lists(st.lists(places, max_size=6), max_size=14)
pauses_s = st.sampled_from([-1.0, 0.0, 0.03, 0.2, 0.21, 0.6, 3.0, 1e5])


@settings(max_examples=150, deadline=None)
@given(frames, st.data(), st.integers(1, 3))
def test_ids_and_freshness(story, data, min_hits):
    """Ids start at 1, are given in order, are never used again once forgotten, and are fresh once, when first seen."""
    tracker = ByteTrack(TrackerParams(min_hits=min_hits, max_lost_s=0.5))
    known: set[int] = set()
    now_s = 0.0
    for rows in story:
        now_s += data.draw(pauses_s)
        detections = seen(*((*box(x, y), score, number) for x, y, score, number in rows))
        report = tracker.update(detections, at(now_s))
        reported = report.track_ids.tolist()
        assert len(set(reported)) == len(reported)
        assert {n for n, fresh in zip(reported, report.fresh, strict=True) if fresh} == set(reported) - known
        known |= set(reported)
        assert known == set(range(1, len(known) + 1))


@settings(max_examples=100, deadline=None)
@given(frames)
def test_reports_come_from_detections(story):
    """Each reported row is a detection of this frame above the low threshold; none is reported twice."""
    tracker = ByteTrack(TrackerParams(max_lost_s=0.5))
    for number, rows in enumerate(story):
        detections = seen(*((*box(x, y), score, number) for x, y, score, number in rows))
        report = tracker.update(detections, at(number * 0.2))
        given_rows = [(*b, s) for b, s in zip(detections.boxes.tolist(), detections.scores.tolist(), strict=True)]
        for row in zip(report.boxes.tolist(), report.scores.tolist(), strict=True):
            given_rows.remove((*row[0], row[1]))
        assert (report.scores > 0.1).all()
        assert report.boxes.dtype == report.scores.dtype == np.float32
        assert report.track_ids.dtype == report.class_ids.dtype == np.int64
        assert report.fresh.dtype == np.bool_


@settings(max_examples=50, deadline=None)
@given(frames)
def test_same_frames_same_tracks(story):
    """The tracker is a function of what it was shown: played twice, it reports the same."""
    reports = []
    for tracker in (ByteTrack(), ByteTrack()):
        shown = [seen(*((*box(x, y), score, number) for x, y, score, number in rows)) for rows in story]
        played = [tracker.update(detections, at(number * 0.2)) for number, detections in enumerate(shown)]
        reports.append(
            [(r.track_ids.tolist(), r.boxes.tolist(), r.class_ids.tolist(), r.fresh.tolist()) for r in played]
        )
    assert reports[0] == reports[1]


far = st.floats(-1e6, 1e6, width=32) | st.floats(-2, 2, width=32)
wild_rows = st.lists(st.tuples(far, far, far, far, st.floats(0, 1, width=32)), max_size=5)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(wild_rows, st.integers(1, 3)), max_size=6), st.data())
def test_no_numbers_break_it(story, data):
    """Boxes of any place and shape, seen several times in a row at any intervals, neither overflow nor raise."""
    tracker = ByteTrack()
    now_s = 0.0
    for rows, times in story:
        for _ in range(times):
            now_s += data.draw(pauses_s)
            report = tracker.update(seen(*rows), at(now_s))
            assert len(report) <= len(rows)
