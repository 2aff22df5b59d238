"""From numbers of a model to detections: real models with known output, on both runtimes."""

import numpy as np
import pytest

from agent.detection import open_detector
from agent.detection.heads import non_maximum_suppression

FRAME = np.zeros((64, 96, 3), np.uint8)  # as large as the models' input, so that pixels are the same


def end2end(*rows: list[float]) -> np.ndarray:
    """Fill up to ten rows, as an export does with rows that score nothing."""
    output = np.zeros((1, 10, 6))
    output[0, : len(rows)] = rows
    return output


def raw(*columns: list[float]) -> np.ndarray:
    """Fill up to 126 anchors of cx, cy, w, h and two scores."""
    output = np.zeros((1, 6, 126))
    output[0, :, : len(columns)] = np.transpose(columns)
    return output


@pytest.fixture
def detect(make_model, backend):
    """Give what a model with this output finds in a frame."""

    def run(output, frame=FRAME, **thresholds):
        found = open_detector(make_model(output), backend=backend, **thresholds).detect(frame)
        return [
            [*(round(value, 2) for value in box), round(score, 2), class_id]
            for box, score, class_id in zip(
                found.boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True
            )
        ]

    return run


def test_end2end_rows_come_best_first_and_above_the_score(detect):
    """Rows at or below the score go; the rest is sorted, and rows of equal score keep their order."""
    low, middle, best = [1, 1, 9, 9, 0.25, 0], [2, 2, 9, 9, 0.5, 1], [3, 3, 9, 9, 0.75, 0]
    again = [4, 4, 9, 9, 0.5, 0]
    assert detect(end2end(low, middle, best, again), min_score=0.25) == [best, middle, again]


def test_end2end_rows_are_limited_to_the_best(detect):
    """The limit keeps the best, wherever they stand."""
    rows = [[index, 1, 60, 9, score, 0] for index, score in enumerate((0.2, 0.9, 0.4))]
    assert [row[4] for row in detect(end2end(*rows), max_detections=2)] == [0.9, 0.4]


def test_end2end_boxes_are_not_suppressed(detect):
    """An NMS-free head has chosen already: equal boxes stay."""
    row = [1, 1, 9, 9, 0.5, 0]
    assert len(detect(end2end(row, row))) == 2


def test_boxes_outside_the_frame_or_not_finite_vanish(detect):
    """A box beyond the frame, without area, turned inside out or not a number is left out; the others are clipped."""
    odd = [
        [-20, 1, -5, 9, 0.9, 0],
        [5, 5, 5, 9, 0.9, 0],
        [9, 9, 3, 3, 0.9, 0],
        [float("nan"), 1, 9, 9, 0.9, 0],
        [1, 1, 9, 9, float("nan"), 0],
        [-5, -5, 200, 10, 0.8, 1],
    ]
    assert detect(end2end(*odd)) == [[0, 0, 96, 10, 0.8, 1]]


def test_boxes_are_in_pixels_of_the_frame(detect):
    """A box in the model's input comes back scaled and shifted to a frame of another shape."""
    frame = np.zeros((64, 192, 3), np.uint8)  # half as large in the input, 16 grey rows above and below
    assert detect(end2end([10, 20, 30, 40, 0.5, 0]), frame) == [[20, 8, 60, 48, 0.5, 0]]


def test_raw_columns_become_boxes_of_their_best_class(detect):
    """Centre and size become corners, and each anchor speaks for its best class only."""
    assert detect(raw([20, 30, 10, 8, 0.3, 0.6])) == [[15, 26, 25, 34, 0.6, 1]]


def test_raw_boxes_are_suppressed_within_a_class(detect):
    """Of overlapping boxes the best stays, unless they are of two classes or overlap less than the limit."""
    best, overlapping = [20, 30, 10, 10, 0.9, 0], [20, 31, 10, 10, 0.8, 0]  # IoU 9/11
    other_class, apart = [20, 30, 10, 10, 0, 0.7], [20, 34, 10, 10, 0.6, 0]  # IoU 6/14
    output = raw(apart, other_class, overlapping, best)
    assert [row[4:] for row in detect(output)] == [[0.9, 0], [0.7, 1], [0.6, 0]]
    assert [row[4:] for row in detect(output, nms_iou=0.9)] == [[0.9, 0], [0.8, 0], [0.7, 1], [0.6, 0]]


@pytest.mark.parametrize(("asked", "kept"), [(None, 2), (0.5, 1)])
def test_a_model_may_say_how_far_one_objects_boxes_overlap(make_model, backend, asked, kept):
    """The overlap for NMS is the model's own, where it names one and nobody asks for another."""
    output = raw([20, 30, 10, 10, 0.9, 0], [20, 31, 10, 10, 0.8, 0])  # IoU 9/11
    model = make_model(output, metadata={"nms_iou": "0.85"})
    assert len(open_detector(model, backend=backend, nms_iou=asked).detect(FRAME)) == kept


def test_raw_columns_below_the_score_give_nothing(detect):
    """A frame without candidates gives no detection."""
    assert detect(raw([20, 30, 10, 10, 0.1, 0.1]), min_score=0.1) == []


def test_raw_boxes_are_limited_to_the_best(detect):
    """The limit counts what survived, best first."""
    columns = [[8 * index + 5, 30, 6, 6, 0.2 + index / 100, 0] for index in range(10)]
    assert [row[4] for row in detect(raw(*columns), max_detections=3)] == [0.29, 0.28, 0.27]


def test_suppression_is_the_greedy_one():
    """On a thousand crowded boxes the choice is the textbook's: take the best, drop what overlaps it, go on."""
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 200, (1000, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 60, (1000, 2))], axis=1).astype(np.float32)
    scores, class_ids = rng.uniform(0, 1, 1000).astype(np.float32), rng.integers(0, 3, 1000)
    left, expected = list(np.argsort(-scores)), []
    while left:
        best = left.pop(0)
        expected.append(best)
        left = [i for i in left if class_ids[i] != class_ids[best] or iou(boxes[best], boxes[i]) <= 0.5]
    assert non_maximum_suppression(boxes, scores, class_ids, max_iou=0.5).tolist() == expected


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return the overlap of two boxes, written out."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
