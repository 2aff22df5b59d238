"""Labelled frames of the simulated orchard, to train with: ``python -m models.simulate OUT --frames 200``.

Writes ``OUT/images/train/sim_*.jpg`` and YOLO labels in ``OUT/labels/train``, as the camera of the demo sees them. Each
orchard of ``--per-orchard`` frames is another one: another seed, another fruit, the camera elsewhere along the row. The
same seed gives the same files. ``models/train.py DATA --more OUT`` trains on both.

A fruit is labelled where at least ``--visible`` of it is seen; its box is that of the whole fruit, as people drew them
in the photographs.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from agent.capture.orchard import Orchard, OrchardSpec, Truth
from agent.capture.orchard.species import SPECIES
from agent.types import Image

_QUALITY = 80  # JPEG; a camera's stream is no better
_APART = 25  # frames between two that are kept: 2.5 s along the row


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Draw labelled frames of the simulated orchard.")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write images/train and labels/train in")
    parser.add_argument("--frames", type=int, default=200, help="how many (200)")
    parser.add_argument("--per-orchard", type=int, default=5, help="frames of one orchard (5)")
    parser.add_argument("--visible", type=float, default=0.3, help="least share of a fruit that is seen (0.3)")
    parser.add_argument("--seed", type=int, default=1000, help="of the first orchard (1000: not one that tests count)")
    options = parser.parse_args()
    if options.frames < 1 or options.per_orchard < 1 or not 0 < options.visible <= 1:
        parser.error("--frames and --per-orchard must be at least 1, --visible above 0 and at most 1")
    pictures = itertools.islice(frames(options.seed, options.per_orchard), options.frames)
    fruit = sum(write(options.out, *each, least_visible=options.visible) for each in pictures)
    print(f"{options.frames} frames with {fruit} fruit in {options.out}", file=sys.stderr)
    return 0


def frames(seed: int, per_orchard: int) -> Iterator[tuple[str, Image, Truth]]:
    """Give frames without end: name, picture and truth."""
    fruits = itertools.cycle(SPECIES)
    for number in itertools.count(seed):
        rng = np.random.default_rng(number)
        orchard = Orchard(OrchardSpec(seed=number, fruit=next(fruits)))
        first = int(rng.integers(0, 1000))
        for index in range(first, first + per_orchard * _APART, _APART):
            yield f"sim_{number}_{index}", orchard.frame(index), orchard.truth(index)


def write(out: Path, name: str, picture: Image, truth: Truth, *, least_visible: float) -> int:
    """Write a frame and its labels; return how many fruit it shows."""
    images, labels = (out / part / "train" for part in ("images", "labels"))
    for folder in (images, labels):
        folder.mkdir(parents=True, exist_ok=True)
    lines = list(label_lines(picture, truth, least_visible))
    (labels / f"{name}.txt").write_text("".join(lines), encoding="ascii")
    if not cv2.imwrite(str(images / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
        raise OSError(f"cannot write {images / name}.jpg")
    return len(lines)


def label_lines(picture: Image, truth: Truth, least_visible: float) -> Iterator[str]:
    """Give a line of YOLO labels for each fruit that is seen: class, centre and size as shares of the picture."""
    height, width = picture.shape[:2]
    for box, class_id, visible in zip(truth.boxes, truth.class_ids, truth.visible, strict=True):
        if visible >= least_visible:
            x1, y1, x2, y2 = box / [width, height, width, height]
            yield f"{class_id} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n"


if __name__ == "__main__":
    sys.exit(main())
