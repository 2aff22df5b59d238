"""From a model's output to detections in the frame. The rules are those of ultralytics' predict (8.4.190)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.detection.letterbox import Placement
from agent.detection.model import ModelInfo
from agent.errors import FatalError
from agent.types import Boxes, Detections, Ids, Scores

Output = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Which detections count."""

    min_score: float  # a detection scores more than this; in [0, 1)
    max_detections: int  # in a frame; the best ones stay
    nms_iou: float | None  # raw head: of two boxes of a class that overlap more, the better stays; None: the model says

    def __post_init__(self) -> None:
        """Refuse what can never be meant."""
        if not (
            0 <= self.min_score < 1 and self.max_detections >= 1 and (self.nms_iou is None or 0 < self.nms_iou <= 1)
        ):
            raise ValueError(f"out of range: {self}")


def decode(output: Output, info: ModelInfo, thresholds: Thresholds, placement: Placement) -> Detections:
    """Turn what a model gave for one frame into detections.

    Boxes that have no area inside the frame, or are not finite, are left out.

    Args:
        output: (1, N, 6) or (1, 4 + classes, anchors), as ``info.head`` says; the model's input pixels.
        info: The model.
        thresholds: Which detections count.
        placement: Where the frame lay in the input.

    Returns:
        Detections in pixels of the frame, best score first. They share no memory with ``output``.

    Raises:
        FatalError: The model found a class that it does not name.
    """
    picture = output[0].astype(np.float32, copy=False)
    found = _end2end(picture, thresholds) if info.head == "end2end" else _raw(picture, info, thresholds)
    return sound(Detections(placement.to_source(found.boxes), found.scores, found.class_ids), info)


def sound(found: Detections, info: ModelInfo) -> Detections:
    """Leave out boxes without an area or that are not finite.

    Raises:
        FatalError: The model found a class that it does not name.
    """
    classes = len(info.class_names)
    nameless = found.class_ids[(found.class_ids < 0) | (found.class_ids >= classes)]
    if nameless.size:
        raise FatalError(f"model {info.path} names {classes} classes but found class {nameless[0]}, counted from 0")
    boxes = found.boxes
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])  # false for NaN, too
    return Detections(boxes[solid], found.scores[solid], found.class_ids[solid])


def _end2end(rows: NDArray[np.float32], thresholds: Thresholds) -> Detections:
    """Select from (N, 6) rows of x1, y1, x2, y2, score, class; rows without a detection score 0."""
    rows = rows[rows[:, 4] > thresholds.min_score]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")[: thresholds.max_detections]]
    with np.errstate(invalid="ignore"):  # a class that is no number becomes one without a name, which is refused
        class_ids = rows[:, 5].astype(np.int64)
    return Detections(rows[:, :4], rows[:, 4], class_ids)


def _raw(columns: NDArray[np.float32], info: ModelInfo, thresholds: Thresholds) -> Detections:
    """Select the best class of each anchor from (4 + classes, anchors) columns of cx, cy, w, h, score per class."""
    columns = columns[:, columns[4:].max(axis=0) > thresholds.min_score]
    if columns.shape[1] == 0:
        return Detections.none()
    centre, size = columns[:2].T, columns[2:4].T
    scores, class_ids = columns[4:].max(axis=0), columns[4:].argmax(axis=0)
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    max_iou = thresholds.nms_iou or info.nms_iou
    keep = non_maximum_suppression(boxes, scores, class_ids, max_iou=max_iou)[: thresholds.max_detections]
    return Detections(boxes[keep], scores[keep], class_ids[keep])


def non_maximum_suppression(boxes: Boxes, scores: Scores, class_ids: Ids, *, max_iou: float) -> Ids:
    """Keep the best of each heap of overlapping boxes of one class.

    Args:
        boxes: (N, 4) float32 xyxy.
        scores: (N,) float32.
        class_ids: (N,) int64.
        max_iou: A box that overlaps a better one of its class by more than this goes.

    Returns:
        (K,) int64 indices of those that stay, best score first.
    """
    corner_and_size = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    # Ten times faster than a loop over numpy arrays for the hundreds of candidates of a frame in service. It drops
    # scores up to its own threshold, hence -1: they were chosen before.
    kept = cv2.dnn.NMSBoxesBatched(
        corner_and_size,  # type: ignore[arg-type]  # its stub knows lists only, which are slow; arrays are accepted
        scores,  # type: ignore[arg-type]  # as above
        class_ids.astype(np.int32),  # type: ignore[arg-type]  # as above
        -1.0,
        max_iou,
    )
    return np.asarray(kept, np.int64).reshape(-1)
