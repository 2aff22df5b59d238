"""Does the model card tell the truth? Measures what ships on labelled photographs, and compares.

``make bench-accuracy``, or ``python -m benchmarks.accuracy DATA``: every figure of ``models/card.json`` is measured
again, through the code of ``hedgerow detect``, and one that differs by more than 0.005 is named and makes the command
fail. DATA holds ``images/val`` and, beside it, YOLO labels in ``labels/val``; an image without a label file holds
nothing to find. ``--write`` makes the card say what was measured, speed included. ``--model M`` scores any model
instead. Needs the extra ``[test]``.
"""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from agent.detection import TiledDetector, Tiling, open_detector
from agent.errors import HedgerowError
from benchmarks.card import (
    WAYS,
    Card,
    absent,
    detections,
    lies,
    measure_card,
    measure_speed,
    passed_over,
    read_card,
)
from benchmarks.card_text import fill_in, fill_in_file
from benchmarks.scoring import MAX_DETECTIONS, MIN_SCORE, Accuracy, score

CARD = Path("models/card.json")


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    options = _parser().parse_args(arguments)
    try:
        if options.model is not None:
            _show(_score(options), as_json=options.json)
            return 0
        return _check(options)
    except HedgerowError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measure what ships on labelled photographs, and hold the model card against it.",
        epilog="Exit code: 0 when the card tells the truth, 1 when it does not.",
    )
    parser.add_argument("data", type=Path, help="folder with images/val and labels/val")
    parser.add_argument("--card", type=Path, default=CARD, help="beside the model's files (models/card.json)")
    parser.add_argument("--only", choices=list(dict.fromkeys(way.file for way in WAYS)), help="measure one file")
    parser.add_argument(
        "--write", action="store_true", help="make the card, and README.md beside it, say what is measured"
    )
    parser.add_argument("--speed", action="store_true", help="make the card say how fast this machine is, nothing else")
    parser.add_argument("--model", type=Path, help="score this model instead, and print a table")
    parser.add_argument("--backend", choices=["auto", "openvino", "onnxruntime"], default="auto", help="for --model")
    parser.add_argument("--tiles", type=Tiling.parse, help="for --model: look at overlapping parts, as 2x2")
    parser.add_argument(
        "--nms-iou", type=float, help="for --model: overlap of one object's boxes (what the model says)"
    )
    parser.add_argument("--json", action="store_true", help="for --model: JSON instead of a table")
    return parser


def _check(options: argparse.Namespace) -> int:
    """Hold the card against the files beside it, or write it anew."""
    folder = options.card.parent
    if options.write:
        measured = measure_card(folder, options.data, only=options.only, say=_say)
        write_card(options.card, measured | measure_speed(folder, _say))
        return 0
    try:
        card = read_card(options.card)
    except (OSError, ValueError) as error:
        _say(f"cannot read {options.card}: {error}")
        return 1
    if options.speed:
        write_card(options.card, card | measure_speed(folder, _say))
        return 0
    measured = measure_card(folder, options.data, only=options.only, say=_say)
    found = lies(card, measured) + ([] if options.only else absent(card, measured)) + untold(card, folder / "README.md")
    for line in passed_over(card, measured):
        _say(f"not compared: {line}")
    for line in found:
        print(f"LIE: {line}")
    if not found:
        print(f"{options.card}: {len(measured['accuracy'])} ways to run {len(measured['files'])} files, all as it says")
    return 1 if found else 0


def write_card(path: Path, card: Card) -> None:
    """Write a card, and its tables into the text beside it."""
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    fill_in_file(path.with_name("README.md"), card)


def untold(card: Card, readme: Path) -> list[str]:
    """Return, as a line, that the tables for people are not those of the card."""
    try:
        text = readme.read_text(encoding="utf-8")
        return [] if fill_in(text, card) == text else [f"{readme}: its tables are not those of the card"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{readme}: its tables cannot be compared with the card: {type(error).__name__}: {error}"]


def _score(options: argparse.Namespace) -> dict[str, Accuracy]:
    opened = open_detector(
        options.model,
        backend=options.backend,
        min_score=MIN_SCORE,
        max_detections=MAX_DETECTIONS,
        nms_iou=options.nms_iou,
    )
    with closing(opened):
        detector = opened if options.tiles is None else TiledDetector(opened, options.tiles)
        return score(detections(detector, options.data), options.data, detector.info.class_names)


def _show(accuracy: dict[str, Accuracy], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({name: [value.map50, value.map50_95] for name, value in accuracy.items()}))
        return
    print("| class | mAP@0.5 | mAP@0.5:0.95 |\n|---|---|---|")
    for name, value in accuracy.items():
        print(f"| {name} | {value.map50:.3f} | {value.map50_95:.3f} |")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
