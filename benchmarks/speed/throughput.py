"""Frames a second, and processor time a frame: the whole pipeline beside the bare runtime and ultralytics."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.detection import bundled_model_path
from benchmarks.figures import Figure
from benchmarks.speed.media import Models


@dataclass(frozen=True, slots=True)
class Spent:
    """What a contender needed for its frames."""

    fps: float
    cpu_ms: float  # a frame, all its processes


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender with a model."""

    name: str
    contender: str
    model: Path


def run(entry: Entry, video: Path, frames: int) -> Spent:
    """Run one contender in a process of its own.

    Raises:
        CalledProcessError: It failed; it said why.
    """
    command = [sys.executable, "-m", "benchmarks.speed.contender", entry.contender]
    command += ["--video", str(video), "--model", str(entry.model), "--frames", str(frames)]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
    return Spent(answer["frames"] / answer["wall_s"], 1000 * answer["cpu_s"] / answer["frames"])


def race(
    entries: Sequence[Entry], video: Path, *, rounds: int, frames: int, say: Callable[[str], None]
) -> dict[str, list[Spent]]:
    """Run all in turn, round by round, every other round backwards, so that what the machine does else hits all."""
    found: dict[str, list[Spent]] = {entry.name: [] for entry in entries}
    for number in range(rounds):
        for entry in entries if number % 2 == 0 else reversed(entries):
            spent = run(entry, video, frames)
            found[entry.name].append(spent)
            say(f"  round {number + 1}: {entry.name} {spent.fps:.1f} frames/s, {spent.cpu_ms:.1f} ms of CPU a frame")
    return found


def beside_runtime(video: Path, *, rounds: int, frames: int, say: Callable[[str], None]) -> list[Figure]:
    """Compare the pipeline with the inference loop of OpenVINO on the bundled model, which is 640x640."""
    pipeline, runtime = (Entry(name, name, bundled_model_path()) for name in ("pipeline", "runtime"))
    found = race((pipeline, runtime), video, rounds=rounds, frames=frames, say=say)
    mine, bare = found["pipeline"], found["runtime"]
    note = "640x640, the bundled model; 1080p file to stored rollup"
    return [
        Figure("pipeline", "frames/s", tuple(each.fps for each in mine), note=note),
        Figure("bare OpenVINO loop", "frames/s", tuple(each.fps for each in bare), note="640x640, one input, no boxes"),
        _ratio(
            "pipeline / bare loop, frames/s", [each.fps for each in mine], [each.fps for each in bare], at_least=0.85
        ),
        _ratio("bare loop / pipeline, CPU a frame", [each.cpu_ms for each in bare], [each.cpu_ms for each in mine]),
    ]


def beside_ultralytics(
    video: Path, models: Models, *, rounds: int, frames: int, say: Callable[[str], None]
) -> list[Figure]:
    """Compare the pipeline, float and INT8, with ``predict`` on the same weights; both at 384x640."""
    if models.weights is None or models.exported is None:
        return [
            Figure("pipeline / ultralytics, frames/s", "", (0.0,), at_least=3, note="NOT MEASURED: no weights (.pt)")
        ]
    entries = [Entry("ultralytics", "ultralytics", models.weights), Entry("float", "pipeline", models.exported)]
    if models.int8 is not None:
        entries.append(Entry("INT8", "pipeline", models.int8))
    found = race(entries, video, rounds=rounds, frames=frames, say=say)
    peer = found.pop("ultralytics")
    figures = [_fps("ultralytics predict", peer), _cpu("ultralytics predict", peer)]
    for name, mine in found.items():
        most = 0.65 if name == "float" else 0.5
        figures += [
            _fps(f"pipeline {name}", mine),
            _cpu(f"pipeline {name}", mine),
            _ratio(
                f"pipeline {name} / ultralytics, frames/s", [e.fps for e in mine], [e.fps for e in peer], at_least=3.0
            ),
            _ratio(
                f"pipeline {name} / ultralytics, CPU a frame",
                [e.cpu_ms for e in mine],
                [e.cpu_ms for e in peer],
                at_most=most,
            ),
        ]
    return figures


def _fps(name: str, found: Sequence[Spent]) -> Figure:
    return Figure(name, "frames/s", tuple(each.fps for each in found), note="384x640")


def _cpu(name: str, found: Sequence[Spent]) -> Figure:
    return Figure(name, "ms of CPU a frame", tuple(each.cpu_ms for each in found), note="384x640")


def _ratio(
    name: str,
    mine: Sequence[float],
    peers: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """Return the ratios of the rounds: both of a round met the same machine."""
    ratios = tuple(one / other for one, other in zip(mine, peers, strict=True))
    return Figure(name, "", ratios, at_least, at_most)
