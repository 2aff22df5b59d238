"""IoU and association, by hand and against every possible assignment."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tracking.association import associate
from agent.tracking.iou import iou


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


UNIT = (0, 0, 10, 10)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (UNIT, 1.0),
        ((0, 0, 5, 10), 0.5),
        ((5, 0, 15, 10), 50 / 150),
        ((5, 5, 15, 15), 25 / 175),
        ((2, 2, 4, 4), 4 / 100),
        ((10, 0, 20, 10), 0.0),  # they touch
        ((30, 30, 40, 40), 0.0),
        ((5, 5, 5, 9), 0.0),  # no area
        ((9, 9, 1, 1), 0.0),  # corners the wrong way round
    ],
)
def test_iou_by_hand(other, expected):
    """Intersection by union of two boxes is what paper and pencil say."""
    assert iou(boxes(UNIT), boxes(other))[0, 0] == pytest.approx(expected)
    assert iou(boxes(other), boxes(UNIT))[0, 0] == pytest.approx(expected)


def test_iou_of_two_points_is_zero():
    """Two boxes without area have nothing in common, even in one place, and nothing divides by zero."""
    assert iou(boxes((3, 3, 3, 3)), boxes((3, 3, 3, 3))).tolist() == [[0.0]]


@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 3), (3, 0)])
def test_no_boxes(n, m):
    """Either side may be empty: nothing is paired, everything is alone."""
    first, second = np.tile(boxes(UNIT), (n, 1)), np.tile(boxes(UNIT), (m, 1))
    assert iou(first, second).shape == (n, m)
    found = associate(first, second, min_iou=0.1)
    assert found.pairs.shape == (0, 2)
    assert found.lone_tracks.tolist() == list(range(n))
    assert found.lone_detections.tolist() == list(range(m))


def test_total_is_maximised():
    """The best pair is given up where that lets two pairs be made."""
    tracks = boxes((0, 0, 10, 10), (4, 0, 14, 10))
    detections = boxes((3, 0, 13, 10), (7, 0, 17, 10))  # the first lies best on the second track
    assert associate(tracks, detections, min_iou=0.2).pairs.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(("min_iou", "paired"), [(0.0, True), (0.49, True), (0.51, False), (1.0, False)])
def test_least_iou(min_iou, paired):
    """Pairs below the least IoU stay apart."""
    found = associate(boxes(UNIT), boxes((0, 0, 5, 10)), min_iou=min_iou)
    assert len(found.pairs) == paired
    assert len(found.lone_tracks) == len(found.lone_detections) == (not paired)


def test_score_decides_and_limits():
    """Of two detections in one place the surer one wins, and a low score makes a pair too weak."""
    track, twins = boxes(UNIT), boxes(UNIT, UNIT)
    assert associate(track, twins, min_iou=0.2, scores=np.float32([0.3, 0.8])).pairs.tolist() == [[0, 1]]
    assert len(associate(track, boxes(UNIT), min_iou=0.2, scores=np.float32([0.19])).pairs) == 0


def test_class_decides_between_near_equals_only():
    """A near equal of the track's class wins over one of another class, but alone the other class is taken."""
    track, two = boxes(UNIT), boxes((0, 0, 10, 10), (0, 0, 10, 9.6))
    same = np.array([[False, True]])
    assert associate(track, two, min_iou=0.2, same_class=same).pairs.tolist() == [[0, 1]]
    assert associate(track, two[:1], min_iou=0.2, same_class=same[:, :1]).pairs.tolist() == [[0, 0]]
    weak = boxes((0, 0, 2.1, 10))
    assert associate(track, weak, min_iou=0.2, same_class=np.array([[False]])).pairs.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("tracks", "detections", "min_iou", "names"),
    [
        (np.zeros((2, 5), np.float32), boxes(UNIT), 0.1, "tracks"),
        (boxes(UNIT), np.zeros(4, np.float32), 0.1, "detections"),
        (boxes(UNIT), boxes((0, 0, np.nan, 1)), 0.1, "detections"),
        (boxes((0, 0, np.inf, 1)), boxes(UNIT), 0.1, "tracks"),
        (boxes(UNIT), boxes(UNIT), -0.1, "min_iou"),
        (boxes(UNIT), boxes(UNIT), np.nan, "min_iou"),
    ],
)
def test_bad_values_are_refused(tracks, detections, min_iou, names):
    """A wrong shape, a non-finite box and a threshold out of range are named."""
    with pytest.raises(ValueError, match=names):
        associate(tracks, detections, min_iou=min_iou)


def side(low: float) -> st.SearchStrategy[float]:
    return st.floats(low, low + 20, width=32)


some_boxes = st.lists(st.tuples(side(0), side(0), side(21), side(21)), max_size=4).map(lambda rows: boxes(*rows))


@given(some_boxes, some_boxes, st.floats(0.05, 0.9))
def test_no_assignment_is_better(tracks, detections, min_iou):
    """Among all assignments, none leaves less cost, where a pair costs 1 - IoU and two left alone 1 - min_iou."""
    cost, limit = 1 - iou(tracks, detections).astype(np.float64), 1 - min_iou
    found = associate(tracks, detections, min_iou=min_iou)
    total = sum(cost[track, detection] - limit for track, detection in found.pairs)
    assert all(cost[track, detection] <= limit for track, detection in found.pairs)
    assert total == pytest.approx(_least(cost, limit), abs=1e-6)
    assert sorted([*found.pairs[:, 0], *found.lone_tracks]) == list(range(len(tracks)))
    assert sorted([*found.pairs[:, 1], *found.lone_detections]) == list(range(len(detections)))


def _least(cost: np.ndarray, limit: float) -> float:
    if cost.shape[0] > cost.shape[1]:
        cost = cost.T
    gains = np.minimum(cost - limit, 0)
    rows, columns = gains.shape
    return min(gains[np.arange(rows), list(order)].sum() for order in permutations(range(columns), rows))
