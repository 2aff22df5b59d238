"""Labels that the model disputes: what it never sees though labelled, and what it is sure of, though unlabelled.

``python -m benchmarks.disputes DATA [--part train]``. Cleaning by agreement would drop the first and add the second;
how many there are tells what that could give. On photographs that the model was trained on it has learnt some errors by
heart, so the share there is a lower bound.
"""

import argparse
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np

from agent.detection import open_detector
from agent.detection.folder import list_images, read_image
from agent.errors import HedgerowError
from agent.tracking.iou import iou
from agent.types import Detections

NEVER = 0.05  # a label with no detection above this was not seen
SURE = 0.6
OVERLAP = 0.3


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Count the labels that a model disputes.")
    parser.add_argument("data", type=Path, help="folder with images/PART and labels/PART")
    parser.add_argument("--part", default="val", help="val or train (val)")
    parser.add_argument("--every", type=int, default=1, help="look at each so manieth photograph (1)")
    parser.add_argument("--model", type=Path, help="default: the bundled model")
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    try:
        with closing(open_detector(options.model, min_score=NEVER)) as detector:
            names = detector.info.class_names
            folder = options.data / "images" / options.part
            for name in list_images(folder)[:: options.every]:
                picture = read_image(folder / name)
                label = (options.data / "labels" / options.part / name).with_suffix(".txt")
                counts.update(disputes(detector.detect(picture), *labels(label, picture.shape[:2]), names))
    except HedgerowError as error:
        print(error, file=sys.stderr)
        return 1
    print("| class | labels | never seen | sure of, not labelled |\n|---|---|---|---|")
    for name in names:
        total = max(counts["labels", name], 1)
        cells = [f"{counts[kind, name]} ({counts[kind, name] / total:.1%})" for kind in ("unseen", "unlabelled")]
        print(f"| {name} | {counts['labels', name]} | {' | '.join(cells)} |")
    return 0


def labels(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes, (N, 4) float32 xyxy in pixels, and class indices of a label file; none where there is no file."""
    text = path.read_text(encoding="ascii") if path.exists() else ""
    rows = np.array([line.split() for line in text.splitlines()], np.float32).reshape(-1, 5)
    scale = np.array([size[1], size[0]] * 2, np.float32)
    corners = np.concatenate([rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2], axis=1)
    return corners * scale, rows[:, 0].astype(np.int64)


def disputes(found: Detections, boxes: np.ndarray, class_ids: np.ndarray, names: tuple[str, ...]) -> Counter:
    """Count labels, labels that nothing answers, and sure detections of a class that no label answers."""
    overlap = iou(boxes, found.boxes) >= OVERLAP
    answered = (overlap & (class_ids[:, None] == found.class_ids[None])).any(axis=1)
    unlabelled = (found.scores >= SURE) & ~overlap.any(axis=0)
    counts: Counter[tuple[str, str]] = Counter()
    counts.update(("labels", names[index]) for index in class_ids)
    counts.update(("unseen", names[index]) for index in class_ids[~answered])
    counts.update(("unlabelled", names[index]) for index in found.class_ids[unlabelled])
    return counts


if __name__ == "__main__":
    sys.exit(main())
