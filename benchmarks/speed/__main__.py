"""Measure the agent's speed and cost beside its peers: ``make bench``, or ``python -m benchmarks.speed``.

Each contender is a process of its own, and contenders take turns within a round, so that a ratio compares what met the
same machine. Figures are medians of the rounds, with their range. Exits with 1 where one misses what it must reach.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, machine, table
from benchmarks.speed import lasting, starting, throughput, watching
from benchmarks.speed.contender import WARM_UP
from benchmarks.speed.media import add_models, make_recording

_RESULTS = Path(__file__).parent.parent / "results.json"
_KEPT = Path(sys.prefix) / "bench"  # with the environment: a recording and models, made once


def say(line: str) -> None:
    """Show progress."""
    print(line, file=sys.stderr, flush=True)


def measurements(options: argparse.Namespace, folder: Path) -> dict[str, Callable[[], list[Figure]]]:
    """Return what can be measured, by name."""
    source = options.video if options.video.is_file() else None
    frames = {"rounds": options.rounds, "frames": options.frames, "say": say}
    rounds = {"rounds": options.rounds, "say": say}
    name = f"1080p-{'pan' if source else 'drawn'}-{WARM_UP + options.frames}.mp4"

    def video() -> Path:
        return make_recording(_KEPT / name, source, WARM_UP + options.frames)

    def models() -> throughput.Models:
        return add_models(_KEPT / "data", options.weights, options.images)

    return {
        "runtime": lambda: throughput.beside_runtime(video(), **frames),
        "ultralytics": lambda: throughput.beside_ultralytics(video(), models(), **frames),
        "still": lambda: watching.still_scenes(folder, **rounds),
        "memory": lambda: watching.memory(folder, **rounds),
        "growth": lambda: lasting.growth(folder, minutes=options.minutes, say=say),
        "start": lambda: starting.first_detection(folder, video(), **rounds),
        "cameras": lambda: watching.scaling(folder, **rounds),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="Measure speed and cost.")
    parser.add_argument("--only", metavar="NAME", help="runtime, ultralytics, still, memory, growth, start or cameras")
    parser.add_argument("--rounds", type=int, default=5, help="of each figure (default 5)")
    parser.add_argument("--frames", type=int, default=150, help="a round, of the recording (default 150)")
    parser.add_argument(
        "--minutes", type=float, default=2.0, help="for which memory is watched (default 2; an hour: 60)"
    )
    parser.add_argument("--video", type=Path, default=Path("../shared/data/video/orchard_pan_dev.mp4"), metavar="FILE")
    parser.add_argument("--weights", type=Path, default=Path("../shared/models/orchard-yolo26n.pt"), metavar="FILE")
    parser.add_argument("--images", type=Path, default=Path("../shared/data/orchard/images/train"), metavar="FOLDER")
    parser.add_argument("--json", type=Path, default=_RESULTS, metavar="FILE", help="for the figures (results.json)")
    options = parser.parse_args()
    started_s = time.monotonic()
    _KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as folder:
        known = measurements(options, Path(folder))
        if options.only is not None and options.only not in known:
            parser.error(f"--only {options.only}: allowed: {', '.join(known)}")
        figures: dict[str, list[Figure]] = {}
        for name in [options.only] if options.only else known:
            say(f"measuring {name}...")
            figures[name] = known[name]()
    _write(options, figures)
    minutes = (time.monotonic() - started_s) / 60
    everything = [figure for each in figures.values() for figure in each]
    print(f"{machine()}; {options.rounds} rounds, {minutes:.0f} minutes\n\n{table(everything)}")
    sys.exit(not all(figure.reached for figure in everything))


def _write(options: argparse.Namespace, figures: dict[str, list[Figure]]) -> None:
    """Write the figures; with --only, those of other measurements stay as they are, each with its own machine."""
    try:
        results = json.loads(options.json.read_text(encoding="utf-8")) if options.only else {}
    except (FileNotFoundError, ValueError):
        results = {}
    for name, found in figures.items():
        measured = {"machine": machine(), "rounds": options.rounds, "figures": [each.as_dict() for each in found]}
        results[name] = measured
    options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
