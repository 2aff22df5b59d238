"""Which detection is which track."""

from dataclasses import dataclass

import lap
import numpy as np
from numpy.typing import NDArray

from agent.tracking.iou import iou
from agent.types import Boxes, Scores

_OTHER_CLASS_COST = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Pairs of track and detection, and what found no partner; all indices ascending, int64."""

    pairs: NDArray[np.int64]  # (K, 2) rows (track, detection)
    lone_tracks: NDArray[np.int64]
    lone_detections: NDArray[np.int64]


def associate(
    tracks: Boxes,
    detections: Boxes,
    *,
    min_iou: float,
    scores: Scores | None = None,
    same_class: NDArray[np.bool_] | None = None,
) -> Assignment:
    """Pair predicted tracks with detections, maximising total IoU.

    Args:
        tracks: (T, 4) float32 xyxy, predicted, source-frame pixels.
        detections: (D, 4) float32 xyxy, same frame. T or D may be 0.
        min_iou: Pairs below this stay apart; in [0, 1].
        scores: (D,) weights of the detections: IoU times score is maximised and held against ``min_iou``, so that
            between two detections in one place the surer one wins.
        same_class: (T, D). A pair of different classes costs a little more, which decides between near equals but
            keeps no pair apart: detectors confuse classes of one object more often than objects of two classes meet.

    Returns:
        The pairs, and the tracks and detections without one.

    Raises:
        ValueError: Wrong shape, non-finite box, or ``min_iou`` out of range.

    Source: Zhang et al., ByteTrack, ECCV 2022, Algorithm 1 (arXiv:2110.06864); fused score as in its code.
    """
    _check(tracks, detections, min_iou)
    common = iou(tracks, detections)
    if scores is not None:
        common = common * scores
    max_cost = 1 - min_iou
    cost = 1 - common.astype(np.float64)
    if same_class is not None:
        raised = np.minimum(cost + _OTHER_CLASS_COST, max_cost)
        cost = np.where(same_class | (cost > max_cost), cost, raised)
    return _assign(cost, max_cost)


def _check(tracks: Boxes, detections: Boxes, min_iou: float) -> None:
    for name, boxes in (("tracks", tracks), ("detections", detections)):
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"{name}: found shape {boxes.shape}; allowed: (N, 4)")
        if not np.isfinite(boxes).all():
            raise ValueError(f"{name}: a box is not finite")
    if not 0 <= min_iou <= 1:
        raise ValueError(f"min_iou: found {min_iou}; allowed: 0 to 1")


def _assign(cost: NDArray[np.float64], max_cost: float) -> Assignment:
    """Choose the pairs of least total cost, where leaving a track and a detection alone costs ``max_cost``.

    Pairs that are possible for nobody else are chosen outright: the rest, where there is something to decide, is small.
    """
    possible = cost <= max_cost
    chosen = possible & (possible.sum(axis=1, keepdims=True) == 1) & (possible.sum(axis=0) == 1)
    contested = possible & ~chosen
    rows, columns = np.flatnonzero(contested.any(axis=1)), np.flatnonzero(contested.any(axis=0))
    if len(rows):
        _, partner, _ = lap.lapjv(cost[np.ix_(rows, columns)], extend_cost=True, cost_limit=max_cost)
        paired = partner >= 0
        chosen[rows[paired], columns[partner[paired]]] = True
        chosen &= possible
    return Assignment(
        pairs=np.argwhere(chosen),
        lone_tracks=np.flatnonzero(~chosen.any(axis=1)),
        lone_detections=np.flatnonzero(~chosen.any(axis=0)),
    )
