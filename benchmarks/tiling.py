"""What tiles gain on fruit that is small in the picture, and what they cost: one Markdown table, in one run.

``python -m benchmarks.tiling DATA [--class cherry] [--tiles 2x2] [--side 2]``; DATA is laid out as for ``accuracy.py``.
The photographs are 640 pixels wide, the model's own input, so each four of a series are laid side by side: a picture of
1280 x 1280, as a larger sensor would give, in which the model sees the whole at half the size. ``--side 1`` takes the
photographs as they are, which tiles can only enlarge. The cost is the time of
the same pictures, looked at whole and in tiles in turn: the median ratio of the rounds, and their range.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import cv2
import numpy as np

from agent.detection import Detector, TiledDetector, Tiling, detect_folder, open_detector
from agent.detection.folder import list_images, read_image
from agent.errors import HedgerowError
from benchmarks.scoring import MAX_DETECTIONS, MIN_SCORE, Accuracy, score

SCORE_IN_SERVICE = 0.1  # what the daemon asks its detector for
ROUNDS = 5
TIMED = 10  # pictures a round


def lay_out(data: Path, series: str, into: Path, side: int) -> int:
    """Write sheets of the validation photographs of one series, with their labels; return how many."""
    for part in ("images", "labels"):
        (into / part / "val").mkdir(parents=True)
    names = [name for name in list_images(data / "images" / "val") if name.startswith(series)]
    sheets = len(names) // side**2
    for number in range(sheets):
        chosen = names[number * side**2 : (number + 1) * side**2]
        pictures = [read_image(data / "images" / "val" / name) for name in chosen]
        rows = [np.hstack(pictures[row * side : (row + 1) * side]) for row in range(side)]
        cv2.imwrite(str(into / "images" / "val" / f"{number:03}.png"), np.vstack(rows))
        lines = [line for place, name in enumerate(chosen) for line in _labels(data, name, place, side)]
        (into / "labels" / "val" / f"{number:03}.txt").write_text("\n".join(lines), encoding="ascii")
    return sheets


def _labels(data: Path, name: str, place: int, side: int) -> list[str]:
    """Return the labels of a photograph as they are in the sheet, where it has this place, row by row."""
    path = (data / "labels" / "val" / name).with_suffix(".txt")
    lines = []
    for line in path.read_text(encoding="ascii").splitlines() if path.exists() else []:
        class_id, cx, cy, w, h = (float(value) for value in line.split())
        cx, cy = (cx + place % side) / side, (cy + place // side) / side
        lines.append(f"{int(class_id)} {cx} {cy} {w / side} {h / side}")
    return lines


def accuracy_of(detector: Detector, data: Path, name: str) -> Accuracy:
    """Score a detector on the one class that a series holds; what it takes for another class is not counted."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the means of the classes that are not there
        out = Path(folder) / "results.json"
        detect_folder(detector, data / "images" / "val", out)
        return score(json.loads(out.read_text(encoding="utf-8")), data, detector.info.class_names)[name]


def cost_ratios(whole: Detector, tiled: Detector, data: Path) -> list[float]:
    """Return, by round, how many times as long the same pictures take in tiles."""
    names = list_images(data / "images" / "val")[:TIMED]
    pictures = [read_image(data / "images" / "val" / name) for name in names]
    return [_seconds(tiled, pictures) / _seconds(whole, pictures) for _ in range(ROUNDS)]


def _seconds(detector: Detector, pictures: list) -> float:
    started = time.perf_counter()
    for picture in pictures:
        detector.detect(picture)
    return time.perf_counter() - started


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Score a model on small fruit, whole and in tiles.")
    parser.add_argument("data", type=Path, help="folder with images/val and labels/val")
    parser.add_argument("--class", dest="name", default="cherry", help="class, and how its files' names begin (cherry)")
    parser.add_argument("--tiles", type=Tiling.parse, default=Tiling(2, 2), help="default 2x2")
    parser.add_argument("--side", type=int, default=2, help="photographs along a side of a picture (2)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    arguments = parser.parse_args()
    try:
        whole = open_detector(None, min_score=MIN_SCORE, max_detections=MAX_DETECTIONS)
        tiled = TiledDetector(whole, arguments.tiles)
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder)
            sheets = lay_out(arguments.data, arguments.name, data, arguments.side)
            found = {way: accuracy_of(each, data, arguments.name) for way, each in (("whole", whole), ("tiles", tiled))}
            in_service = open_detector(None, min_score=SCORE_IN_SERVICE)
            ratios = cost_ratios(in_service, TiledDetector(in_service, arguments.tiles), data)
    except HedgerowError as error:
        print(error, file=sys.stderr)
        return 1
    cost = [statistics.median(ratios), min(ratios), max(ratios)]
    if arguments.json:
        print(json.dumps({**{way: [each.map50, each.map50_95] for way, each in found.items()}, "cost": cost}))
        return 0
    pictures = f"{arguments.name}, {sheets} pictures, {640 * arguments.side} pixels wide"
    print(f"| {pictures} | mAP@0.5 | mAP@0.5:0.95 | time |\n|---|---|---|---|")
    times = {"whole": "1", "tiles": f"{cost[0]:.2f} ({cost[1]:.2f} to {cost[2]:.2f})"}
    for way, each in found.items():
        print(f"| {way} | {each.map50:.3f} | {each.map50_95:.3f} | {times[way]} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
