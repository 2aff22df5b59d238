"""The learning curves: ``python -m models.curves`` draws ``models/curves.svg`` from ``models/runs/*.csv``.

A run's file is the ``results.csv`` that training leaves. Needs matplotlib, which comes with the extra
``[ultralytics]``.
"""

import argparse
import csv
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MAP50 = "metrics/mAP50(B)"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Draw the learning curves of models/runs/*.csv.")
    parser.add_argument("--runs", type=Path, default=HERE / "runs", metavar="DIR", help="folder of CSV files")
    parser.add_argument("--out", type=Path, default=HERE / "curves.svg", metavar="SVG")
    options = parser.parse_args()
    files = sorted(options.runs.glob("*.csv"))
    if not files:
        print(f"no CSV files in {options.runs}", file=sys.stderr)
        return 1
    draw({path.stem: read_curve(path) for path in files}, options.out)
    return 0


def read_curve(path: Path) -> list[tuple[float, float]]:
    """Return hours and mAP@0.5 after each epoch."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(float(row["time"]) / 3600, float(row[MAP50])) for row in csv.DictReader(file)]


def draw(curves: dict[str, list[tuple[float, float]]], out: Path) -> None:
    """Draw mAP@0.5 on val over hours of training."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "hedgerow"  # the same curves give the same file
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
    axes.set(xlabel="hours of training", ylabel="mAP@0.5 on val, head with NMS")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
