"""The model card's numbers: measured from the files that ship, written as ``models/card.json``, and held against it.

Wide models are measured on wide pictures: the middle 384 rows of each photograph, at its own scale.
"""

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.detection import Detector, detect_folder, open_detector
from agent.detection.bundled import NAME, SHAPES, file_name, int8_name
from agent.detection.folder import list_images, read_image
from agent.detection.model_file import read_model_file
from agent.detection.trial import try_backend
from benchmarks.figures import machine
from benchmarks.scoring import (
    MAX_DETECTIONS,
    MIN_SCORE,
    Results,
    as_numbers,
    by_class,
    by_size,
    by_source,
    confusion,
    numbers,
    read_truth,
)

Card = dict[str, Any]

CONFIDENCE = 0.25
"""What a detection must score in service, unless the configuration says otherwise."""

TOLERANCE = 0.005
PARTS = {"files", "classes", "accuracy", "by_size", "by_source", "confusion", "speed", "machine"}
SQUARE, WIDE = SHAPES
_LEAST_INSIDE = 0.5  # of a fruit's area, to count in a wide picture


@dataclass(frozen=True, slots=True)
class Way:
    """A file that ships, and a runtime that runs it."""

    file: str
    backend: str


def nms_free_name(height: int, width: int) -> str:
    """Return how the ONNX file with the NMS-free head is called."""
    return f"{NAME}-nms-free{'' if (height, width) == SQUARE else f'-{height}x{width}'}.onnx"


WEIGHTS = f"{NAME}.pt"

WAYS = tuple(
    way
    for shape in SHAPES
    for way in (
        Way(file_name(*shape), "onnxruntime"),
        Way(file_name(*shape), "openvino"),
        Way(int8_name(*shape), "openvino"),
        Way(nms_free_name(*shape), "onnxruntime"),
    )
)
"""The first one stands for the model in the tables by size and source and in that of confusions."""


def measure_card(folder: Path, data: Path, *, only: str | None, say: Callable[[str], None]) -> Card:
    """Measure the files of a folder, but for their speed.

    Args:
        folder: Where the model's files lie; one that is not there is left out.
        data: Folder with ``images/val`` and ``labels/val``.
        only: Name of the one file to measure.
        say: Told each step.

    Raises:
        HedgerowError: A model or image cannot be used.
    """
    ways = [way for way in WAYS if (folder / way.file).exists() and only in {None, way.file}]
    card: Card = {"files": described_files(folder, only), "accuracy": []}
    with tempfile.TemporaryDirectory() as temporary:
        wide = Path(temporary)
        if any(_is_wide(way) for way in ways):
            cut_wide(data, wide)
        for way in ways:
            say(f"{way.file} on {way.backend}")
            card |= _measure_way(folder, wide if _is_wide(way) else data, way, card)
    return card


def _measure_way(folder: Path, data: Path, way: Way, card: Card) -> Card:
    """Return the parts of the card that this way adds."""
    with closing(_open(folder / way.file, way.backend)) as detector:
        names, precision = detector.info.class_names, detector.info.precision
        results = detections(detector, data)
    truth = read_truth(data, names)
    row = {**_key(way), "precision": precision, "map": as_numbers(by_class(results, truth))}
    parts: Card = {"accuracy": [*card["accuracy"], row]}
    if way != WAYS[0]:
        return parts
    sizes = by_size(results, truth)
    sources = by_source(results, truth)
    return parts | {
        "classes": list(names),
        "by_size": {
            name: {size: [count, *numbers(value)] for size, (count, value) in found.items()}
            for name, found in sizes.items()
        },
        "by_source": {source: [name, count, *numbers(value)] for source, (name, count, value) in sources.items()},
        "confusion": confusion(results, truth, min_score=CONFIDENCE),
    }


def measure_speed(folder: Path, say: Callable[[str], None]) -> Card:
    """Measure a frame of 1280x720 in each way; takes two seconds each."""
    speed = []
    for way in WAYS:
        if (folder / way.file).exists():
            say(f"speed of {way.file} on {way.backend}")
            trial = try_backend(folder / way.file, way.backend, threads=0)
            speed.append({**_key(way), "precision": trial.precision, "wall_ms": trial.wall_ms, "cpu_ms": trial.cpu_ms})
    return {"speed": speed, "machine": machine()}


def described_files(folder: Path, only: str | None = None) -> list[Card]:
    """Return name, size and hash of each file that ships; a folder counts as one."""
    names = [WEIGHTS, *dict.fromkeys(way.file for way in WAYS)]
    return [
        {"file": name, "sha256": read_model_file(folder / name).sha256, "bytes": _size(folder / name)}
        for name in names
        if (folder / name).exists() and only in {None, name}
    ]


def lies(card: Card, measured: Card) -> list[str]:
    """Return, a line each, where a card differs from what was measured: other bytes, or by more than the tolerance.

    Only what was measured is compared; what was computed in another precision than the card's is not, see
    ``passed_over``.
    """
    stated = {entry["file"]: entry for entry in card["files"]}
    found = [
        f"{entry['file']}: the card says {stated.get(entry['file'])}, found {entry}"
        for entry in measured["files"]
        if stated.get(entry["file"]) != entry
    ]
    precisions = _precisions(card)
    rows = [row for row in measured["accuracy"] if precisions.get(_way(row), row["precision"]) == row["precision"]]
    cells = _cells(card)
    for name, value in _cells({**measured, "accuracy": rows}).items():
        said = cells.get(name, math.nan)
        if not _same(said, value):
            found.append(f"{name}: the card says {said}, measured {value}")
    return found


def absent(card: Card, measured: Card) -> list[str]:
    """Return, a line each, what a card tells of and was not there to be measured."""
    there = {entry["file"] for entry in measured["files"]}
    return [
        f"{entry['file']}: the card tells of it, and it is not there"
        for entry in card["files"]
        if entry["file"] not in there
    ]


def passed_over(card: Card, measured: Card) -> list[str]:
    """Return the ways that this machine computes in another precision than the one that the card tells of."""
    precisions = _precisions(card)
    return [
        f"{row['file']} on {row['backend']}: the card tells of {precisions[_way(row)]}, this machine computes in "
        f"{row['precision']}"
        for row in measured["accuracy"]
        if precisions.get(_way(row), row["precision"]) != row["precision"]
    ]


def _precisions(card: Card) -> dict[Way, str]:
    return {_way(row): row["precision"] for row in card["accuracy"]}


def _way(row: Card) -> Way:
    return Way(row["file"], row["backend"])


def _cells(card: Card) -> dict[str, float | None]:
    """Return every figure that accuracy is told by, with a name for a person; counts as shares of their row."""
    cells: dict[str, float | None] = {}
    for row in card["accuracy"]:
        for name, pair in row["map"].items():
            for measure, value in zip(("mAP@0.5", "mAP@0.5:0.95"), pair, strict=True):
                cells[f"{row['file']} on {row['backend']} ({row['precision']}), {name}, {measure}"] = value
    for name, sizes in card.get("by_size", {}).items():
        for size, (_, *pair) in sizes.items():
            cells |= {f"{name} {size}, {place}": value for place, value in enumerate(pair)}
    for source, (_, _, *pair) in card.get("by_source", {}).items():
        cells |= {f"{source}, {place}": value for place, value in enumerate(pair)}
    for was, row in card.get("confusion", {}).items():
        total = sum(row.values())
        cells |= {f"{was} seen as {seen}": count / total if total else None for seen, count in row.items()}
    return cells


def _same(said: float | None, value: float | None) -> bool:
    if said is None or value is None:
        return said is value
    return abs(said - value) <= TOLERANCE + 1e-9


def worst_int8_loss(card: Card) -> float:
    """Return the most mAP@0.5 that a class loses by INT8, at either shape, against 32 bits."""
    found = {_way(row): row["map"] for row in card["accuracy"]}
    losses = [
        whole - found[Way(int8_name(*shape), "openvino")][name][0]
        for shape in SHAPES
        for name, (whole, _) in found[Way(file_name(*shape), "onnxruntime")].items()
        if whole is not None
    ]
    return max(losses)


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not JSON, or no card.
    """
    card = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(card, dict) or (lacking := PARTS - card.keys()):
        raise ValueError(f"it lacks {', '.join(sorted(lacking)) if isinstance(card, dict) else 'everything'}")
    return card


def detections(detector: Detector, data: Path) -> Results:
    """Return what ``hedgerow detect`` writes for the validation photographs."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.json"
        detect_folder(detector, data / "images" / "val", out)
        return json.loads(out.read_text(encoding="utf-8"))


def cut_wide(data: Path, into: Path) -> None:
    """Write the middle rows of each validation photograph, and the labels of what lies in them by half or more."""
    for part in ("images", "labels"):
        (into / part / "val").mkdir(parents=True)
    height, width = WIDE
    for name in list_images(data / "images" / "val"):
        picture = read_image(data / "images" / "val" / name)
        whole, across = picture.shape[:2]
        rows = round(across * height / width)
        top = (whole - rows) // 2
        stem = Path(name).stem
        # PNG: as JPEG the pixels would not be those that the square model sees.
        target = into / "images" / "val" / f"{stem}.png"
        cv2.imwrite(str(target), picture[top : top + rows], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        lines = _cut_labels((data / "labels" / "val" / name).with_suffix(".txt"), top / whole, rows / whole)
        (into / "labels" / "val" / f"{stem}.txt").write_text("\n".join(lines), encoding="ascii")


def _cut_labels(path: Path, top: float, share: float) -> Iterator[str]:
    for line in path.read_text(encoding="ascii").splitlines() if path.exists() else []:
        class_id, cx, cy, w, h = (float(value) for value in line.split())
        upper, lower = np.clip([(cy - h / 2 - top) / share, (cy + h / 2 - top) / share], 0, 1)
        if (lower - upper) * share >= _LEAST_INSIDE * h:
            yield f"{int(class_id)} {cx} {(upper + lower) / 2} {w} {lower - upper}"


def _open(path: Path, backend: Any) -> Detector:
    return open_detector(path, backend=backend, min_score=MIN_SCORE, max_detections=MAX_DETECTIONS)


def _is_wide(way: Way) -> bool:
    return f"{WIDE[0]}x{WIDE[1]}" in way.file


def _key(way: Way) -> Card:
    return {"file": way.file, "backend": way.backend}


def _size(path: Path) -> int:
    return sum(part.stat().st_size for part in path.iterdir()) if path.is_dir() else path.stat().st_size
