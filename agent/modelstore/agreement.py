"""How far two detectors agree, box by box."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from agent.detection import Detector
from agent.modelstore.manifest import Agreement
from agent.types import Boxes, Detections, Image

_LEAST_IOU = 0.5


def measure_agreement(float_model: Detector, int8_model: Detector, frames: Iterable[Image]) -> Agreement:
    """Run two models on the same frames, and pair their boxes; both must be opened with the same threshold."""
    count = float_boxes = int8_boxes = 0
    ious: list[float] = []
    for frame in frames:
        first, second = float_model.detect(frame), int8_model.detect(frame)
        count, float_boxes, int8_boxes = count + 1, float_boxes + len(first), int8_boxes + len(second)
        ious += paired_ious(first, second)
    return Agreement(count, float_boxes, int8_boxes, len(ious), round(float(np.mean(ious)) if ious else 0.0, 4))


def paired_ious(first: Detections, second: Detections) -> list[float]:
    """Pair boxes of one class greedily, the best overlap first, down to an IoU of one half; return their IoUs."""
    overlap = _iou(first.boxes, second.boxes) * (first.class_ids[:, None] == second.class_ids[None])
    found = []
    while overlap.size and (best := float(overlap.max())) >= _LEAST_IOU:
        row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
        found.append(best)
        overlap[row, :] = 0
        overlap[:, column] = 0
    return found


def _iou(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    upper = np.maximum(first[:, None, :2], second[None, :, :2])
    lower = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(lower - upper, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None] - shared), np.float32)
