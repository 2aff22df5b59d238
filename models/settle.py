"""Batch norm that fits what the model will see: ``python -m models.settle IN.pt DATA --out OUT.pt``.

Training keeps running means of its augmented pictures at its own size. This counts them anew over plain training
photographs at the size of service, and changes no weight. Needs the extra ``[ultralytics]``.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from agent.detection.letterbox import Letterbox
from agent.detection.toolchain import load_yolo
from agent.errors import HedgerowError
from agent.modelstore.frames import frames_of_folder

_BATCH = 16


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Estimate a model's batch norm anew.")
    parser.add_argument("weights", type=Path, metavar="IN.pt")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with images/train")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT.pt")
    parser.add_argument("--side", type=int, default=640, help="pixels (640)")
    parser.add_argument("--photographs", type=int, default=400, help="at most (400)")
    options = parser.parse_args()
    try:
        yolo = load_yolo(options.weights)
        folder = options.data / "images" / "train"
        settle(yolo.model, letterboxed(folder, options.photographs, options.side))
        yolo.save(options.out)
    except HedgerowError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def letterboxed(folder: Path, most: int, side: int) -> np.ndarray:
    """Return (N, 3, side, side) uint8 RGB."""
    letterbox = Letterbox(side, side)
    planes = []
    for picture in frames_of_folder(folder, most=most):
        letterbox.fill(picture)
        planes.append(letterbox.canvas[0, :, :, ::-1].transpose(2, 0, 1).copy())
    return np.stack(planes)


def settle(model: Any, pictures: np.ndarray) -> None:
    """Let each batch norm take the plain mean of all batches' statistics."""
    import torch  # noqa: PLC0415 - an extra

    norms = [module for module in model.float().modules() if isinstance(module, torch.nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
    model.train()  # so that both heads see every picture
    # Mixed: variance within batches of one fruit leaves out how fruit differ.
    pictures = pictures[np.random.default_rng(0).permutation(len(pictures))]
    with torch.no_grad():
        for batch in np.array_split(pictures, -(-len(pictures) // _BATCH)):
            model(torch.from_numpy(batch).float() / 255)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


if __name__ == "__main__":
    sys.exit(main())
