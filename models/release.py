"""From weights to what ships, in one command: ``python -m models.release BEST.pt DATA``.

Exports both heads at 640x640 and 384x640 as ONNX with 16-bit weights, calibrates INT8 for OpenVINO on training
photographs, measures all of it on the validation photographs, puts the files beside this one and makes the model card
say what was measured. INT8 ships only where no class loses more than 0.01 mAP@0.5 by it. Takes about ten minutes on two
cores. Needs the extras ``[ultralytics,calibration,test]``.

What ships is made in a folder of its own and moved at the end, so a failure leaves what was there.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.detection.bundled import NAME, SHAPES, file_name, int8_name
from agent.detection.letterbox import Letterbox
from agent.detection.model import NMS_IOU, Head
from agent.detection.model_file import loading, read_model_file
from agent.errors import HedgerowError
from agent.modelstore.children import export_weights, quantise
from agent.modelstore.frames import frames_of_folder
from agent.types import Image
from benchmarks.accuracy import write_card
from benchmarks.card import WEIGHTS, measure_card, measure_speed, nms_free_name, worst_int8_loss
from models.halved import halve_weights
from models.slim import slim

HERE = Path(__file__).resolve().parent

BEST_NMS_IOU = 0.6
"""See the attempts in README.md."""

CALIBRATION = 300  # photographs at most: with 152 INT8 lost 0.0104 mAP@0.5 of a class, with 282 0.006
MOST_INT8_LOSS = 0.01  # mAP@0.5 of any class

DESCRIBED = {
    "description": "Hedgerow's orchard model: apples, cherries and pears on the tree",
    "author": "the Hedgerow project",
    "license": "AGPL-3.0-or-later",
    "attribution": (
        "trained on AppleBBCH76, AppleBBCH81 (Kodors et al. 2024), CherryBBCH72, CherryBBCH81 (Apeinans et al. 2024) "
        "and Pear640 (Kodors et al. 2023), CC BY 4.0, cut into tiles and re-encoded"
    ),
    NMS_IOU: str(BEST_NMS_IOU),
}


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Make the files that ship, and their card, from weights.")
    parser.add_argument("weights", type=Path, metavar="BEST.pt", help="as models/train.py leaves them")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with images/ and labels/ for train and val")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="hedgerow-release-") as folder:
            release(options.weights, options.data, Path(folder))
    except (HedgerowError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def release(weights: Path, data: Path, folder: Path) -> None:
    """Make everything in an empty folder, measure it there, and move it beside this file.

    Raises:
        HedgerowError: Weights, photographs or a tool cannot be used.
        OSError: The disk refuses.
    """
    with loading(read_model_file(weights), "ultralytics", (Exception,)):  # a pickle can raise anything
        slim(weights, folder / WEIGHTS, licence=DESCRIBED["license"])
    origin = read_model_file(folder / WEIGHTS).sha256
    for head in ("raw", "end2end"):
        export(folder, head, origin)
    pictures = frames_of_folder(data / "images" / "train", most=CALIBRATION)
    for shape in SHAPES:
        say(f"calibrating {int8_name(*shape)} on {len(pictures)} photographs")
        quantise(folder / file_name(*shape), folder / int8_name(*shape), inputs(pictures, shape))
    card = measure_card(folder, data, only=None, say=say)
    card["int8_loss"] = round(worst_int8_loss(card), 4)
    if card["int8_loss"] > MOST_INT8_LOSS:
        say(f"INT8 does not ship: a class loses {card['int8_loss']:.3f} mAP@0.5")
        card = without_int8(card, folder)
    replace_shipped(folder)
    write_card(HERE / "card.json", card | measure_speed(HERE, say))


def export(folder: Path, head: Head, origin: str) -> None:
    """Export the weights of a folder beside them, with one of their heads."""
    say(f"exporting the {head} head")
    with tempfile.TemporaryDirectory() as temporary:
        draft = Path(temporary)
        export_weights(Path(shutil.copyfile(folder / WEIGHTS, draft / WEIGHTS)), draft, SHAPES, head=head)
        for height, width in SHAPES:
            data = (draft / f"{height}x{width}.onnx").read_bytes()
            name = file_name(height, width) if head == "raw" else nms_free_name(height, width)
            (folder / name).write_bytes(halve_weights(data, {**DESCRIBED, "origin": f"{NAME}.pt, sha256 {origin}"}))


def inputs(pictures: list[Image], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (N, H, W, 3) uint8 BGR for calibration; for a wide shape, the middle rows of each picture."""
    height, width = shape
    letterbox = Letterbox(height, width)
    made = []
    for picture in pictures:
        rows = min(picture.shape[0], round(picture.shape[1] * height / width))
        top = (picture.shape[0] - rows) // 2
        letterbox.fill(picture[top : top + rows])
        made.append(letterbox.canvas[0].copy())
    return np.stack(made)


def without_int8(card: dict, folder: Path) -> dict:
    """Remove the INT8 models from a folder and from what its card tells."""
    names = {int8_name(*shape) for shape in SHAPES}
    for name in names:
        shutil.rmtree(folder / name)
    return {
        **card,
        "files": [each for each in card["files"] if each["file"] not in names],
        "accuracy": [row for row in card["accuracy"] if row["file"] not in names],
    }


def replace_shipped(folder: Path) -> None:
    """Move what was made beside this file, in place of what was there."""
    for old in [*HERE.glob(f"{NAME}*.onnx"), *HERE.glob(f"{NAME}*.pt"), *HERE.glob(f"{NAME}*-int8")]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for made in folder.iterdir():
        shutil.move(made, HERE / made.name)


def say(text: str) -> None:
    """Tell a step."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
