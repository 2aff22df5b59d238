"""How well things are counted: fruit on a video and on simulated rows, objects over a line. Part of bench-accuracy.

``python -m benchmarks.counting VIDEO.mp4 [--fps 15 5] [--backend B] [--seeds 20] [--json]`` prints what was counted
and, at the end, each requirement beside what was measured; it exits with 1 if one is missed. What is known of the
detector (``PassRecord``) comes from ``benchmarks.row_record``, from other photographs. Seeds up to 60 were looked at
while the method was chosen; the hold-out are seeds from 61 on, which were not: they are printed, and require nothing.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.requirements import Requirement, print_requirements
from benchmarks.row_video import measure, print_table
from benchmarks.row_video import requirements as video_requirements
from tests.analytics.row_walk import walk
from tests.analytics.walks import count_a_thousand

HOLD_OUT = 61  # first seed
WITHIN = 0.03  # of the truth, on each simulated row
LINE_OBJECTS, LINE_WITHIN = 1000, 5


@dataclass(frozen=True, slots=True)
class Row:
    """A simulated row: how many fruit came into view, how many were counted, and how many ids a tracker gave out."""

    seed: int
    truth: int
    counted: int
    track_ids: int

    @property
    def error(self) -> float:
        """Return the share that is counted too much."""
        return self.counted / self.truth - 1

    @property
    def is_near(self) -> bool:
        """Tell whether the error is as small as it must be."""
        return abs(self.counted - self.truth) <= WITHIN * self.truth


def rows(seeds: Iterable[int]) -> Iterator[Row]:
    """Walk along simulated rows."""
    for seed in seeds:
        print(f"simulated row {seed}", file=sys.stderr)
        walked = walk(seed)
        yield Row(seed, walked.truth, walked.counted, walked.track_ids)


def print_rows(title: str, walked: list[Row]) -> None:
    """Print them as a table."""
    if not walked:
        return
    print(f"\n{title}\n")
    print("| seed | truth | ours | our tracker's ids |\n|---|---|---|---|")
    for row in walked:
        print(f"| {row.seed} | {row.truth} | {row.counted} ({row.error:+.1%}) | {row.track_ids} |")
    print(f"\n{summary(walked)}")


def summary(walked: list[Row]) -> str:
    """Return the errors of some rows in a line."""
    errors = np.array([row.error for row in walked])
    beyond = sum(not row.is_near for row in walked)
    return (
        f"mean error {errors.mean():+.1%}, mean size {np.abs(errors).mean():.1%}, largest {np.abs(errors).max():.1%}, "
        f"{beyond} of {len(errors)} beyond {WITHIN:.0%}"
    )


def row_requirement(walked: list[Row]) -> Requirement:
    """Hold simulated rows against what is required."""
    met = all(row.is_near for row in walked)
    return Requirement(f"{len(walked)} simulated rows", f"within {WITHIN:.0%} on each", summary(walked), met)


def line_requirement() -> Requirement:
    """Let a thousand objects cross a line, half each way."""
    print("a line that 1,000 objects cross", file=sys.stderr)
    found = count_a_thousand()
    inwards, outwards = found["crossed_in"], found["crossed_out"]
    met = abs(inwards + outwards - LINE_OBJECTS) <= LINE_WITHIN
    met &= max(abs(inwards - LINE_OBJECTS / 2), abs(outwards - LINE_OBJECTS / 2)) <= LINE_WITHIN
    measured = f"{inwards} in, {outwards} out"
    return Requirement("a line that 1,000 objects cross, half each way", f"1,000 +- {LINE_WITHIN}", measured, met)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Score what is counted along a row and over a line.")
    parser.add_argument("video", type=Path, help="with its truth beside it, as .json")
    parser.add_argument("--fps", type=float, nargs="+", default=[15.0, 5.0], help="frame rates of the video")
    parser.add_argument(
        "--backend", choices=["auto", "openvino", "onnxruntime"], default="auto", help="of our detector"
    )
    parser.add_argument("--seeds", type=int, default=20, help="simulated rows; 0: none")
    parser.add_argument("--hold-out", type=int, default=40, help="so many more rows; 0: none")
    parser.add_argument("--json", action="store_true", help="JSON instead of tables")
    arguments = parser.parse_args()
    for needed in (arguments.video, arguments.video.with_suffix(".json")):
        if not needed.is_file():
            print(f"{needed}: no such file", file=sys.stderr)
            return 2
    tables = [measure(arguments.video, fps, arguments.backend) for fps in arguments.fps]
    first = list(rows(range(1, arguments.seeds + 1)))
    others = list(rows(range(HOLD_OUT, HOLD_OUT + arguments.hold_out)))
    required = [one for table in tables for one in video_requirements(table)]
    if first:
        required.append(row_requirement(first))
    required.append(line_requirement())
    if arguments.json:
        plain = {"videos": tables, "rows": first, "hold_out": others, "requirements": required}
        print(json.dumps({name: [asdict(one) for one in values] for name, values in plain.items()}))
    else:
        for table in tables:
            print_table(table)
        print_rows("Simulated rows: 10% of the boxes missed, 5% false, jitter, a camera that varies and stops", first)
        print_rows("Hold-out: rows that were not looked at while the method was chosen", others)
        print_requirements(required)
    return 0 if all(one.met for one in required) else 1


if __name__ == "__main__":
    sys.exit(main())
