"""The tracker: scenes with a known answer, and every edge that a camera gives it."""

import numpy as np
import pytest

from agent.tracking import ByteTrack, TrackerParams
from agent.types import Detections, Tracks
from tests.tracking.scenes import BOOT, at, box, seen

FPS = 10
PARAMS = TrackerParams(frame_interval_s=1 / FPS, max_lost_s=1.0)


def play(frames: list[Detections], tracker: ByteTrack | None = None, *, fps: float = FPS) -> list[Tracks]:
    """Show frames to a tracker at a steady rate; None stands for a frame that was dropped."""
    tracker = tracker or ByteTrack(PARAMS)
    shown = [(number, frame) for number, frame in enumerate(frames, start=1) if frame is not None]
    return [tracker.update(frame, at(number / fps)) for number, frame in shown]


def ids(reports: list[Tracks]) -> list[list[int]]:
    return [report.track_ids.tolist() for report in reports]


@pytest.mark.parametrize(
    ("min_hits", "expected"), [(1, [[1], [1], [1], [1]]), (2, [[], [1], [1], [1]]), (3, [[], [], [1], [1]])]
)
def test_reported_from_the_last_needed_hit_on(min_hits, expected):
    """A track is reported from the update on in which it was seen ``min_hits`` times in a row, and is fresh there."""
    tracker = ByteTrack(TrackerParams(frame_interval_s=1 / FPS, min_hits=min_hits))
    reports = play([seen(box(100 + 2 * k)) for k in range(4)], tracker)
    assert ids(reports) == expected
    assert [report.fresh.tolist() for report in reports] == [
        [number == min_hits] if number >= min_hits else [] for number in range(1, 5)
    ]


@pytest.mark.parametrize("pattern", ["x-", "x-x-x-", "xx-xx-x", "-x--x"])
def test_flicker_is_never_counted(pattern):
    """What is never seen three times in a row gets no id when three are asked for, and uses none up."""
    tracker = ByteTrack(TrackerParams(frame_interval_s=1 / FPS, min_hits=3))
    flicker = [seen(box(100)) if sign == "x" else Detections.none() for sign in pattern]
    assert ids(play(flicker, tracker)) == [[] for _ in pattern]
    steady = [seen(box(400)) for _ in range(3)]
    reports = [tracker.update(frame, at(10 + number / FPS)) for number, frame in enumerate(steady)]
    assert ids(reports)[-1] == [1]


def test_report_is_of_the_detections():
    """Boxes and scores are those of the detections, unchanged, in whatever order these came."""
    frames = [seen((*box(300), 0.7), (*box(100), 0.9)), seen((*box(103), 0.6), (*box(304), 0.8))]
    report = play(frames)[-1]
    by_id = dict(
        zip(report.track_ids.tolist(), zip(report.boxes.tolist(), report.scores.tolist(), strict=True), strict=True)
    )
    assert by_id[1] == (pytest.approx(box(304)), pytest.approx(0.8))
    assert by_id[2] == (pytest.approx(box(103)), pytest.approx(0.6))


def test_nothing_at_all():
    """Empty frames are tracked as well as others: first, in between, and last."""
    nothing = Detections.none()
    assert ids(play([nothing, nothing, seen(box(50)), seen(box(50)), nothing, seen(box(50))])) == [
        [], [], [], [1], [], [1],
    ]  # fmt: skip


def test_crossing_objects_keep_their_ids():
    """Two that pass each other in opposite directions, overlapping on the way, keep their ids."""
    frames = [seen(box(100 + 8 * k, 100), box(420 - 8 * k, 118)) for k in range(40)]
    reports = play(frames)[1:]
    assert all(sorted(report) == [1, 2] for report in ids(reports))
    for report in reports:
        by_id = dict(zip(report.track_ids.tolist(), report.boxes[:, 1].tolist(), strict=True))
        assert by_id[1] < by_id[2]  # the first one is the upper one, in every frame


@pytest.mark.parametrize("fps", [5, 15, 30])
@pytest.mark.parametrize(("hidden_s", "expected"), [(0.6, 1), (1.4, 2)])
def test_occlusion_is_bridged_in_seconds(fps, hidden_s, expected):
    """What is hidden for less than ``max_lost_s`` keeps its id, what is hidden longer gets a new one, at any rate."""
    tracker = ByteTrack(TrackerParams(frame_interval_s=1 / fps, max_lost_s=1.0))
    hidden = range(2 * fps, 2 * fps + round(hidden_s * fps))
    frames = [Detections.none() if k in hidden else seen(box(100 + 60 * k / fps)) for k in range(5 * fps)]
    reports = play(frames, tracker, fps=fps)
    assert {track_id for report in ids(reports) for track_id in report} == set(range(1, expected + 1))


def test_low_score_continues_a_track():
    """A dip below the high threshold keeps the id and is reported; one below the low threshold hides the object."""
    scores = [0.8, 0.8, 0.8, 0.15, 0.12, 0.8, 0.05, 0.8]
    reports = play([seen((*box(100 + 3 * k), score)) for k, score in enumerate(scores)])
    assert ids(reports) == [[], [1], [1], [1], [1], [1], [], [1]]


def test_low_score_starts_nothing():
    """Detections between the low and the high threshold never become a track, however many."""
    assert ids(play([seen((*box(100), 0.2))] * 20)) == [[]] * 20


def test_new_track_needs_its_own_threshold():
    """What is sure enough to continue a track need not be sure enough to start one."""
    tracker = ByteTrack(TrackerParams(frame_interval_s=1 / FPS, new_track_thresh=0.6))
    scores = [0.5, 0.5, 0.5, 0.7, 0.5, 0.5]
    assert ids(play([seen((*box(100), score)) for score in scores], tracker)) == [[], [], [], [], [1], [1]]


def test_dropped_frames_do_not_break_a_track():
    """An object that moves by more than its width between the frames that were left is found by its velocity."""
    frames = [seen(box(100 + 14 * k)) for k in range(40)]
    for dropped in (20, 21, 22, 27, 28, 33):
        frames[dropped] = None
    assert ids(play(frames))[1:] == [[1]] * 33


@pytest.mark.parametrize("later", [at(0.5, BOOT + 1), at(0.2), at(0.0)], ids=["new boot", "stands still", "runs back"])
def test_odd_time_counts_as_one_frame(later):
    """Monotonic time of another boot, standing still or running back is one nominal frame, and ids go on."""
    tracker = ByteTrack(PARAMS)
    tracker.update(seen(box(100)), at(0.1))
    tracker.update(seen(box(104)), at(0.2))
    assert tracker.update(seen(box(108)), later).track_ids.tolist() == [1]


def test_what_stands_still_outlives_a_gap():
    """After an hour without frames, what is where it was keeps its id, and what is elsewhere is new."""
    tracker = ByteTrack(PARAMS)
    for number in range(20):
        tracker.update(seen(box(100), box(300)), at(number / FPS))
    after = [tracker.update(seen(box(101), box(700)), at(3600 + number / FPS)) for number in range(2)]
    assert ids(after) == [[1], [1, 3]]


def test_odd_class_does_not_change_a_track():
    """One frame of another class neither breaks the track nor changes its class; the majority of scores does."""
    classes = [4, 4, 4, 9, 4, 9, 9, 9, 9]
    reports = play([seen((*box(100 + 2 * k), 0.8, number)) for k, number in enumerate(classes)])
    assert {track_id for report in ids(reports) for track_id in report} == {1}
    assert [report.class_ids.tolist() for report in reports[1:]] == [[4]] * 7 + [[9]]


def test_classes_in_one_place_do_not_swap():
    """Two objects of two classes, nearly in one place, keep their ids and classes whatever the scores do."""
    random = np.random.default_rng(1)
    frames = [
        seen((*box(100, 100), random.uniform(0.4, 0.9), 0), (*box(103, 102), random.uniform(0.4, 0.9), 1))
        for _ in range(30)
    ]
    for report in play(frames)[1:]:
        assert dict(zip(report.track_ids.tolist(), report.class_ids.tolist(), strict=True)) in (
            {1: 0, 2: 1},
            {1: 1, 2: 0},
        )
    assert (
        len({tuple(sorted(zip(r.track_ids.tolist(), r.class_ids.tolist(), strict=True))) for r in play(frames)[1:]})
        == 1
    )


@pytest.mark.parametrize(
    ("bad", "names"),
    [
        (seen((0, 0, np.nan, 10)), "box"),
        (seen((0, 0, np.inf, 10)), "box"),
        (seen((0, 0, 1e9, 10)), "box"),
        (seen((0, 0, 10, 10, np.nan)), "score"),
        (seen((0, 0, 10, 10, 0.9, -1)), "class"),
        (seen((0, 0, 10, 10, 0.9, 1e8)), "class"),
    ],
)
def test_bad_detections_are_refused_and_change_nothing(bad, names):
    """Non-finite boxes or scores and impossible classes raise, and the tracker goes on as if they had not come."""
    tracker = ByteTrack(PARAMS)
    play([seen(box(100)), seen(box(104))], tracker)
    with pytest.raises(ValueError, match=names):
        tracker.update(bad, at(0.25))
    assert tracker.update(seen(box(108)), at(0.3)).track_ids.tolist() == [1]


@pytest.mark.parametrize("flat", [(50, 50, 50, 80), (50, 50, 80, 50), (50, 50, 50, 50), (80, 80, 50, 50)])
def test_boxes_without_area_are_ignored(flat):
    """A box without width or height, or inside out, is nothing; the others in its frame are tracked."""
    assert ids(play([seen(flat, box(200))] * 3)) == [[], [1], [1]]


def test_hundreds_of_boxes():
    """Four hundred objects in a moving grid get four hundred ids and keep them."""
    grid = [(60 * (k % 20), 80 * (k // 20)) for k in range(400)]
    reports = play([seen(*(box(x + 30 + 6 * k, y + 40) for x, y in grid)) for k in range(6)])
    assert all(report == list(range(1, 401)) for report in ids(reports)[1:])


def test_lost_track_takes_its_object_back():
    """A newcomer that turns out to lie on a lost track is that track, and is not counted again."""
    steady = [seen(box(100)) for _ in range(5)]
    returning = [seen(box(100 + shift)) for shift in (36, 3, 0, 0)]  # too far off at first, then in the old place
    reports = play([*steady, Detections.none(), *returning])
    assert {track_id for report in ids(reports) for track_id in report} == {1}


@pytest.mark.parametrize("shift", [(-47, 0), (80, 10), (0, -60)])
def test_moving_camera_at_a_low_rate(shift):
    """When all boxes jump by more than their width from frame to frame, each still is one track."""
    random = np.random.default_rng(6)
    centres = random.uniform(0, 900, (25, 2))
    frames = [
        seen(*(box(x + shift[0] * k, y + shift[1] * k, 40, 45) for x, y in centres + random.normal(0, 1.5, (25, 2))))
        for k in range(12)
    ]
    reports = play(frames, fps=5)
    assert all(report == list(range(1, 26)) for report in ids(reports)[1:])


def test_trackers_share_nothing():
    """Two cameras' trackers each count from 1, whatever the other one sees."""
    first, second = ByteTrack(PARAMS), ByteTrack(PARAMS)
    play([seen(box(100), box(300))] * 3, first)
    assert ids(play([seen(box(100))] * 2, second)) == [[], [1]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"track_high_thresh": 1.5},
        {"track_low_thresh": -0.1},
        {"match_thresh": float("nan")},
        {"track_low_thresh": 0.5, "track_high_thresh": 0.4},
        {"min_hits": 0},
        {"frame_interval_s": 0},
        {"max_lost_s": 0.1, "frame_interval_s": 0.2},
        {"max_lost_s": float("inf")},
    ],
)
def test_impossible_settings_are_refused(wrong):
    """A setting out of range is named."""
    with pytest.raises(ValueError, match=next(iter(wrong)) if len(wrong) == 1 else "_"):
        TrackerParams(**wrong)


@pytest.mark.parametrize(("fps", "min_hits", "max_lost_s"), [(0.5, 2, 6.0), (5, 2, 2.0), (15, 3, 2.0), (30, 4, 2.0)])
def test_settings_follow_the_frame_rate(fps, min_hits, max_lost_s):
    """A faster camera must see a track more often, and a slow one may miss it for longer."""
    params = TrackerParams.at(confidence=0.4, frame_interval_s=1 / fps)
    assert (params.min_hits, params.max_lost_s) == (min_hits, pytest.approx(max_lost_s))
    assert (params.track_high_thresh, params.new_track_thresh, params.track_low_thresh) == (0.4, 0.4, 0.1)
    assert TrackerParams.at(confidence=0.05, frame_interval_s=1 / fps).track_low_thresh == 0.05
