"""Weights between weights: ``python -m models.average A.pt B.pt --out C.pt`` writes their mean.

Of one training, or of two that began with the same weights; of others the mean is worth nothing. Needs the extra
``[ultralytics]``.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from agent.detection.toolchain import load_yolo


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Average weights.")
    parser.add_argument("weights", type=Path, nargs="+", metavar="PT", help="at least two")
    parser.add_argument("--share", type=float, default=0.5, help="of the first, where there are two (0.5)")
    parser.add_argument("--out", type=Path, required=True, metavar="PT")
    options = parser.parse_args()
    count = len(options.weights)
    if count < 2 or not 0 < options.share < 1:
        parser.error("give at least two files, and a --share between 0 and 1")
    shares = [options.share, 1 - options.share] if count == 2 else [1 / count] * count
    average(options.weights, shares, options.out)
    return 0


def average(weights: list[Path], shares: list[float], out: Path) -> None:
    """Write the weighted mean of some weights, all else as in the first."""
    loaded = [load_yolo(path) for path in weights]
    states = [each.model.float().state_dict() for each in loaded]
    loaded[0].model.load_state_dict(mean(states, shares))
    loaded[0].save(out)


def mean(states: list[dict[str, Any]], shares: list[float]) -> dict[str, Any]:
    """Return the weighted mean of tensors by name; whole numbers, as counters, are those of the first."""
    return {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True))
        if first.is_floating_point()
        else first
        for name, first in states[0].items()
    }


if __name__ == "__main__":
    sys.exit(main())
