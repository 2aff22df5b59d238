"""What a model finds of the fruit that it passes: measures ``PassRecord`` for ``agent.analytics.row``.

``python -m benchmarks.row_record DATA [--model M] [--without PHOTOGRAPH ...]``. DATA holds ``images/val`` with tiles of
640 pixels, named ``PHOTOGRAPH_NUMBER.jpg``, and YOLO labels in ``labels/val``. Tiles that the model was not trained on
are laid side by side to strips, a camera passes each at a speed of its own (10 to 20 pixels a frame, up and down by
20), the pictures go through H.264, and what the daemon's detector and row count find at 15 and at 5 frames a
second is held against the labels. A fruit is there when at least 60% of its box is in at least 3 pictures at 15 a
second.

Strips: four tiles long and two high as they are, at quality 20 and 27; and the tiles of one photograph in a row,
enlarged by 1.2, at quality 26. By default the photographs in the project's own test video are left out. Takes minutes.
"""

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from agent.analytics.row import BUNDLED, PassRecord, RowCount
from agent.config import RowConfig
from agent.detection import Detector, open_detector
from agent.types import Detections, Findings, Frame, Image, Instant
from benchmarks.row_references import LOW, track_ids

WIDTH, HEIGHT, FPS = 1280, 720, 15
SIDE = 640
STEPS = (1, 3)  # every frame, every third
IN_TEST_VIDEO = (
    "applebbch81_DSC_1191",
    "applebbch81_DSC_1167",
    "applebbch81_DSC_1211",
    "applebbch76_DSC_1064",
    "applebbch76_DSC_1056",
    "applebbch76_DSC_1055",
)


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """A picture longer than the camera's, and the boxes of the fruit in it, (N, 4) xyxy."""

    name: str
    picture: Image
    boxes: NDArray[np.float64]


def strips(data: Path, without: tuple[str, ...]) -> Iterator[tuple[Strip, int]]:
    """Give each strip with the quality at which it is to be coded."""
    by_photograph: dict[str, list[Path]] = defaultdict(list)
    for tile in sorted((data / "images" / "val").glob("applebbch*")):
        photograph = tile.stem.rsplit("_", 1)[0]
        if not photograph.startswith(without):
            by_photograph[photograph].append(tile)
    tiles = [tile for group in by_photograph.values() for tile in group]
    for number in range(len(tiles) // 8):
        strip = lay(f"native {number}", data, tiles[8 * number : 8 * number + 8], columns=4, scale=1.0)
        yield strip, 20
        yield strip, 27
    for photograph, group in by_photograph.items():
        if len(group) >= 4:
            yield lay(f"enlarged {photograph}", data, group[:5], columns=5, scale=1.2), 26


def lay(name: str, data: Path, tiles: list[Path], *, columns: int, scale: float) -> Strip:
    """Lay tiles in rows of so many columns."""
    side = round(SIDE * scale)
    columns = min(columns, len(tiles))
    picture = np.zeros((side * -(-len(tiles) // columns), side * columns, 3), np.uint8)
    boxes = []
    for number, tile in enumerate(tiles):
        x, y = side * (number % columns), side * (number // columns)
        image = cv2.imread(str(tile))
        picture[y : y + side, x : x + side] = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        label = data / "labels" / "val" / f"{tile.stem}.txt"
        rows = np.loadtxt(label, ndmin=2) if label.exists() and label.stat().st_size else np.zeros((0, 5))
        middle, half = rows[:, 1:3] * side + [x, y], rows[:, 3:5] * side / 2
        boxes.append(np.concatenate([middle - half, middle + half], axis=1))
    return Strip(name, picture, np.concatenate(boxes))


def way(strip: Strip, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (F, 2) where the upper left corner of each picture is."""
    room = strip.picture.shape[0] - HEIGHT
    x = np.arange(0, strip.picture.shape[1] - WIDTH - 1, rng.uniform(10, 20))
    swing = 20 * np.sin(2 * np.pi * np.arange(len(x)) / rng.uniform(40, 90) + rng.uniform(0, 2 * np.pi))
    return np.stack([x, rng.uniform(24, room - 24) + swing if room > 48 else room / 2 + swing], axis=1)


def filmed(strip: Strip, corners: NDArray[np.float64], quality: int, folder: Path) -> Iterator[Image]:
    """Give the pictures of a pass as they come out of a coded video."""
    path = folder / "strip.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=FPS, options={"crf": str(quality), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for x, y in corners:
            move = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
            picture = cv2.warpAffine(strip.picture, move, (WIDTH, HEIGHT))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        film.mux(stream.encode())
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            yield frame.to_ndarray(format="bgr24")


def there(strip: Strip, corners: NDArray[np.float64]) -> int:
    """Count the fruit that come into the picture."""
    size = (strip.boxes[:, 2:] - strip.boxes[:, :2]).prod(axis=1)
    seen: Counter[int] = Counter()
    for x, y in corners:
        cut = np.clip(strip.boxes - [x, y, x, y], 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
        shown = (cut[:, 2:] - cut[:, :2]).prod(axis=1) >= 0.6 * size
        seen.update(np.flatnonzero(shown).tolist())
    return sum(times >= 3 for times in seen.values())


def passed(detector: Detector, pictures: Iterator[Image], seen: list[Detections], confidence: float) -> list[int]:
    """Count what is found at each of the frame rates; keep the detections by frame in ``seen``."""
    names = detector.info.class_names
    rows = [RowCount(RowConfig(), "strip", names, record=PassRecord(confidence=confidence)) for _ in STEPS]
    found = [0] * len(STEPS)
    at = Instant(0, 0, 1)
    for number, picture in enumerate(pictures):
        at = Instant(0, number * 10**9 // FPS, 1)
        detections = detector.detect(picture)
        seen.append(detections)
        for rate, step in enumerate(STEPS):
            if number % step == 0:
                findings = rows[rate].observe(Frame("strip", number, at, picture), detections)
                found[rate] += found_in(findings)
    return [count + found_in(row.finish(at)) for count, row in zip(found, rows, strict=True)]


def found_in(findings: Findings) -> int:
    """Count the fruit that were found."""
    return sum(measure.name == "row_fruit" for measure in findings.measures)


def reference(seen: list[Detections]) -> list[float]:
    """Count the ids of ultralytics' tracker at each of the frame rates; NaN where it is not installed."""
    try:
        return [float(len(list(track_ids(list(enumerate(seen))[::step])))) for step in STEPS]
    except ImportError:
        return [np.nan for _ in STEPS]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure what a model finds of the fruit that it passes.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=None, help="ONNX file; default: the bundled model")
    parser.add_argument("--without", nargs="*", default=list(IN_TEST_VIDEO), help="photographs to leave out")
    parser.add_argument(
        "--confidence", type=float, default=BUNDLED.confidence, help=f"of a sure detection ({BUNDLED.confidence})"
    )
    arguments = parser.parse_args()
    detector = open_detector(arguments.model, min_score=LOW)
    names, truth, found, ids = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, (strip, quality) in enumerate(strips(arguments.data, tuple(arguments.without))):
            corners = way(strip, np.random.default_rng(number))
            seen: list[Detections] = []
            counts = passed(detector, filmed(strip, corners, quality, Path(folder)), seen, arguments.confidence)
            names += [strip.name] * len(counts)
            truth += [there(strip, corners)] * len(counts)
            found += counts
            ids += reference(seen)
            print(f"{strip.name}, quality {quality}: truth {truth[-1]}, found {counts}", flush=True)
    report(np.array(names), np.array(truth, float), np.array(found, float), np.array(ids))


def report(
    names: NDArray[np.str_], truth: NDArray[np.float64], found: NDArray[np.float64], ids: NDArray[np.float64]
) -> None:
    """Print the record; each strip is estimated from the others. Beside it, the ids of ultralytics' tracker."""
    estimates = np.zeros(len(truth))
    for name in set(names):
        others = names != name
        estimates[~others] = found[~others] * truth[others].sum() / found[others].sum()
    spread = float(((estimates - truth) ** 2 / truth).mean())
    covered = np.abs(estimates - truth) <= 1.645 * np.sqrt(spread * estimates)
    print(f"strips {len(set(names))}, passes {len(truth)}: ", end="")
    print(f"found_share {found.sum() / truth.sum():.3f}, spread {spread:.2f}")
    print(f"the band of 90% held the truth in {covered.mean():.0%} of the passes")
    for rate, step in enumerate(STEPS):
        here = slice(rate, None, len(STEPS))
        errors = [np.median(np.abs(counts[here] - truth[here])) for counts in (estimates, ids)]
        print(f"at {FPS / step:g} frames a second, median error of a pass: {errors[0]:.1f}; of the ids {errors[1]:.1f}")


if __name__ == "__main__":
    main()
