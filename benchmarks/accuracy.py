"""How well a model finds fruit on labelled photographs: mAP over the val part, per class, as a Markdown table.

``make bench-accuracy``, or ``python benchmarks/accuracy.py DATA [--model M] [--backend B] [--json]``. DATA holds
``images/val`` and, beside it, YOLO labels in ``labels/val``; an image without a label file holds nothing to find.
Detections come from ``agent.detection.detect_folder`` and are scored by pycocotools, 300 a picture at most, as
ultralytics' validation does. Needs the extra ``[test]``.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from agent.detection import detect_folder, open_detector
from agent.detection.folder import list_images, read_image
from agent.errors import HedgerowError

MAX_DETECTIONS = 300
MIN_SCORE = 0.001


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Mean average precision, in [0, 1]; NaN where there is nothing to find."""

    map50: float  # at IoU 0.5
    map50_95: float  # mean over IoU 0.5, 0.55 to 0.95


def score(results: list[dict[str, Any]], data: Path, class_names: tuple[str, ...]) -> dict[str, Accuracy]:
    """Score COCO results against YOLO labels.

    Args:
        results: As ``detect_folder`` writes them for ``data/images/val``.
        data: Folder with ``images/val`` and ``labels/val``.
        class_names: By class index.

    Returns:
        Accuracy by class name, and of all classes as ``all``: the mean over classes.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools reports its progress there
        truth = _truth(data, class_names)
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.params.maxDets = [1, 10, MAX_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
    # Axes: IoU threshold, recall, class, area range (first: all), detections a picture (last: most).
    precision = np.where(evaluation.eval["precision"] < 0, np.nan, evaluation.eval["precision"])[:, :, :, 0, -1]
    per_class = {name: precision[:, :, index] for index, name in enumerate(class_names)}
    return {
        name: Accuracy(map50=float(np.nanmean(values[0])), map50_95=float(np.nanmean(values)))
        for name, values in {**per_class, "all": precision}.items()
    }


def _truth(data: Path, class_names: tuple[str, ...]) -> COCO:
    """Read YOLO labels; images are numbered as ``detect_folder`` numbers them."""
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
    coco.createIndex()
    return coco


def _measure(arguments: argparse.Namespace) -> dict[str, Accuracy]:
    detector = open_detector(
        arguments.model, backend=arguments.backend, min_score=MIN_SCORE, max_detections=MAX_DETECTIONS
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.json"
        detect_folder(detector, arguments.data / "images" / "val", out, on_progress=_progress)
        return score(json.loads(out.read_text(encoding="utf-8")), arguments.data, detector.info.class_names)


def _progress(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"{done} of {total} images", file=sys.stderr)


def _print_table(accuracy: dict[str, Accuracy]) -> None:
    print("| class | mAP@0.5 | mAP@0.5:0.95 |\n|---|---|---|")
    for name, value in accuracy.items():
        print(f"| {name} | {value.map50:.3f} | {value.map50_95:.3f} |")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Score a model on labelled images.")
    parser.add_argument("data", type=Path, help="folder with images/val and labels/val")
    parser.add_argument("--model", type=Path, default=None, help="ONNX file; default: the bundled model")
    parser.add_argument("--backend", choices=["auto", "openvino", "onnxruntime"], default="auto")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    arguments = parser.parse_args()
    try:
        accuracy = _measure(arguments)
    except HedgerowError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({name: [value.map50, value.map50_95] for name, value in accuracy.items()}))
    else:
        _print_table(accuracy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
