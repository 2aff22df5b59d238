"""Detections held against labels: mAP by class, by size and by source, and what was taken for what.

Detections come from ``agent.detection.detect_folder`` and are scored by pycocotools, 300 a picture at most, as
ultralytics' validation does. Needs the extra ``[test]``.
"""

import contextlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from agent.detection.folder import list_images, read_image

MAX_DETECTIONS = 300
MIN_SCORE = 0.001

SIZES_PX = {"below 24": (0, 24), "24 to 48": (24, 48), "above 48": (48, 1e5)}
"""Square root of a box's area. COCO's own limits, 32 and 96, would leave no large fruit."""

MISSED = "missed"
NOTHING = "nothing"

Results = list[dict[str, Any]]
"""As ``detect_folder`` writes them."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Mean average precision, in [0, 1]; NaN where there is nothing to find."""

    map50: float  # at IoU 0.5
    map50_95: float  # mean over IoU 0.5, 0.55 to 0.95


def score(results: Results, data: Path, class_names: Sequence[str]) -> dict[str, Accuracy]:
    """Score COCO results against YOLO labels.

    Args:
        results: As ``detect_folder`` writes them for ``data/images/val``.
        data: Folder with ``images/val`` and ``labels/val``.
        class_names: By class index.

    Returns:
        Accuracy by class name, and of all classes as ``all``: the mean over classes.
    """
    return by_class(results, read_truth(data, class_names))


def read_truth(data: Path, class_names: Sequence[str]) -> COCO:
    """Read YOLO labels of ``data/images/val``; images are numbered as ``detect_folder`` numbers them."""
    images, annotations = [], []
    for index, name in enumerate(list_images(data / "images" / "val")):
        height, width = read_image(data / "images" / "val" / name).shape[:2]
        images.append({"id": index, "file_name": name, "height": height, "width": width})
        label = (data / "labels" / "val" / name).with_suffix(".txt")
        for line in label.read_text(encoding="ascii").splitlines() if label.exists() else []:
            class_id, cx, cy, w, h = (float(value) for value in line.split())
            box = [(cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height]
            entry = {"image_id": index, "category_id": int(class_id), "bbox": box, "area": box[2] * box[3]}
            annotations.append({**entry, "id": len(annotations) + 1, "iscrowd": 0})
    coco = COCO()
    categories = [{"id": index, "name": name} for index, name in enumerate(class_names)]
    coco.dataset = {"images": images, "annotations": annotations, "categories": categories}
    with _quiet():
        coco.createIndex()
    return coco


def by_class(results: Results, truth: COCO) -> dict[str, Accuracy]:
    """Score each class, and all as ``all``: the mean over classes."""
    precision = _precision(results, truth)[:, :, :, 0]
    names = [category["name"] for category in truth.dataset["categories"]]
    per_class = {name: _mean(precision[:, :, index]) for index, name in enumerate(names)}
    return {**per_class, "all": _mean(precision)}


def by_size(results: Results, truth: COCO) -> dict[str, dict[str, tuple[int, Accuracy]]]:
    """Score each class by the size of its fruit: how many there are, and how well they are found."""
    limits = [(least**2, most**2) for least, most in SIZES_PX.values()]
    precision = _precision(results, truth, areas=limits)
    areas: dict[int, list[float]] = defaultdict(list)
    for entry in truth.dataset["annotations"]:
        areas[entry["category_id"]].append(entry["area"])
    found: dict[str, dict[str, tuple[int, Accuracy]]] = {}
    for category in truth.dataset["categories"]:
        of_class = np.array(areas[category["id"]])
        found[category["name"]] = {
            size: (int(((of_class >= least) & (of_class < most)).sum()), _mean(precision[:, :, category["id"], index]))
            for index, (size, (least, most)) in enumerate(zip(SIZES_PX, limits, strict=True))
        }
    return found


def by_source(results: Results, truth: COCO) -> dict[str, tuple[str, int, Accuracy]]:
    """Score each source alone, told by how its files' names begin: its class, its images and how well it is found."""
    images: dict[str, list[int]] = defaultdict(list)
    for image in truth.dataset["images"]:
        images[image["file_name"].partition("_")[0]].append(image["id"])
    names = [category["name"] for category in truth.dataset["categories"]]
    found = {}
    for source, ids in sorted(images.items()):
        held = Counter(entry["category_id"] for entry in truth.dataset["annotations"] if entry["image_id"] in set(ids))
        if held:
            ((class_id, _),) = held.most_common(1)
            precision = _precision(results, truth, images=ids)
            found[source] = (names[class_id], len(ids), _mean(precision[:, :, class_id, 0]))
    return found


def confusion(results: Results, truth: COCO, *, min_score: float) -> dict[str, dict[str, int]]:
    """Count what each fruit was taken for, and what was seen where nothing is.

    Detections above ``min_score`` are paired with fruit of any class, the best score first, each with the fruit that it
    overlaps most, by an IoU of at least one half.

    Returns:
        By class of the fruit, and ``nothing``, the number by class of the detection, and ``missed``.
    """
    names = [category["name"] for category in truth.dataset["categories"]]
    table = {name: dict.fromkeys([*names, MISSED], 0) for name in names}
    table[NOTHING] = dict.fromkeys(names, 0)
    by_image: dict[int, Results] = defaultdict(list)
    for entry in results:
        if entry["score"] > min_score:
            by_image[entry["image_id"]].append(entry)
    for image in truth.getImgIds():
        fruit = truth.imgToAnns[image]
        for seen, was in _paired(by_image[image], fruit):
            row = NOTHING if was is None else names[was["category_id"]]
            table[row][MISSED if seen is None else names[seen["category_id"]]] += 1
    return table


def _paired(seen: Results, fruit: Results) -> Iterable[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    free = list(fruit)
    for entry in sorted(seen, key=lambda entry: -entry["score"]):
        overlaps = [_iou(entry["bbox"], other["bbox"]) for other in free]
        best = int(np.argmax(overlaps)) if overlaps else -1
        yield entry, free.pop(best) if overlaps and overlaps[best] >= 0.5 else None
    for left in free:
        yield None, left


def _iou(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the IoU of two boxes of x, y, width and height."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)


def _precision(
    results: Results, truth: COCO, *, areas: Sequence[tuple[float, float]] = (), images: Sequence[int] = ()
) -> np.ndarray:
    """Return precision by IoU threshold, recall, class and range of areas; NaN where there is nothing to find."""
    with _quiet():
        evaluation = COCOeval(truth, _loaded(results, truth), "bbox")
        evaluation.params.maxDets = [1, 10, MAX_DETECTIONS]
        evaluation.params.areaRng = [list(limits) for limits in areas] or [[0, 1e10]]
        evaluation.params.areaRngLbl = [str(limits) for limits in evaluation.params.areaRng]
        if images:
            evaluation.params.imgIds = list(images)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, :, -1]
    return np.where(precision < 0, np.nan, precision)


def _loaded(results: Results, truth: COCO) -> COCO:
    """Return detections as pycocotools wants them; its own loader cannot take none."""
    if results:
        return truth.loadRes(results)
    nothing = COCO()
    nothing.dataset = {**truth.dataset, "annotations": []}
    nothing.createIndex()
    return nothing


def _mean(precision: np.ndarray) -> Accuracy:
    if np.isnan(precision).all():
        return Accuracy(float("nan"), float("nan"))
    return Accuracy(map50=float(np.nanmean(precision[0])), map50_95=float(np.nanmean(precision)))


def as_numbers(accuracy: Mapping[str, Accuracy]) -> dict[str, list[float | None]]:
    """Return accuracies for JSON, to four digits; None where there is nothing to find."""
    return {name: numbers(value) for name, value in accuracy.items()}


def numbers(value: Accuracy) -> list[float | None]:
    """Return mAP@0.5 and mAP@0.5:0.95 for JSON."""
    return [None if np.isnan(part) else round(part, 4) for part in (value.map50, value.map50_95)]


def _quiet() -> contextlib.AbstractContextManager[Any]:
    return contextlib.redirect_stdout(io.StringIO())  # pycocotools reports its progress there
