"""What watching costs: processor on a still scene, memory by number of cameras, and cost a camera."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.capture_cost import Case, measure, still_scene
from benchmarks.daemon import daemon, frames
from benchmarks.figures import Figure
from benchmarks.processes import total_cpu_s
from benchmarks.speed.cameras import serving
from tests.waiting import free_ports

SETTLE_S = 12.0  # the start, and the first look that the gate lets through
STRETCH_S = 10.0
CAMERAS = (1, 4, 8, 16)
_MAIN = "1080p25 at 5 fps, still, no sub-stream"
_SUB = "1080p25 at 5 fps, still, sub-stream 640x480"


def still_scenes(folder: Path, *, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Measure the processor for one 1080p camera whose scene is still, with a sub-stream and without, in turn."""
    found: dict[str, list[float]] = {_SUB: [], _MAIN: []}
    with serving(folder) as server:
        small = server.url(still_scene(server.folder, 640, 480))
        cases = (Case(_SUB, 1, 1920, 1080, f'substream = "{small}"'), Case(_MAIN, 1, 1920, 1080))
        for number in range(rounds):
            for case in cases:
                cost = measure(case, folder, server, settle_s=SETTLE_S, seconds=STRETCH_S)
                found[case.name].append(cost.core_percent)
                looks = f"{cost.analysed} frames looked at, {cost.still} still"
                say(f"  round {number + 1}: {case.name} {cost.core_percent:.1f}% ({looks})")
    return [
        Figure(name, "% of a core", tuple(found[name]), at_most=most) for name, most in ((_SUB, 4.0), (_MAIN, 12.0))
    ]


def memory(folder: Path, *, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Measure the memory with 1 and 8 cameras, in turn; agent and decoder together (PSS)."""
    required = {1: 230.0, 8: 450.0}
    found: dict[int, list[float]] = {cameras: [] for cameras in required}
    with serving(folder) as server:
        for number in range(rounds):
            for cameras in required:
                case = Case(f"memory {cameras}", cameras, 640, 480)
                cost = measure(case, folder, server, settle_s=SETTLE_S, seconds=1.0)
                found[cameras].append(cost.memory_mb)
                say(f"  round {number + 1}: {cameras} cameras {cost.memory_mb:.0f} MB")
    return [
        Figure(
            f"memory, {cameras} x 640x480 RTSP", "MB", tuple(found[cameras]), at_most=most, note="PSS, all processes"
        )
        for cameras, most in required.items()
    ]


def scaling(folder: Path, *, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Measure the processor for 1 to 16 simulated cameras, each one frame a second, and its way off a straight line."""
    found: dict[int, list[float]] = {cameras: [] for cameras in CAMERAS}
    for number in range(rounds):
        for cameras in CAMERAS if number % 2 == 0 else reversed(CAMERAS):
            percent, share = _simulated(folder, cameras)
            found[cameras].append(percent)
            say(f"  round {number + 1}: {cameras} cameras {percent:.1f}% of a core, {share:.0%} of the frames came")
    lines = [_off_line([found[cameras][number] for cameras in CAMERAS]) for number in range(rounds)]
    slope = [np.polyfit(CAMERAS, [found[cameras][number] for cameras in CAMERAS], 1)[0] for number in range(rounds)]
    figures = [
        Figure(f"{cameras} simulated cameras at 1 fps", "% of a core", tuple(found[cameras])) for cameras in CAMERAS
    ]
    return [
        *figures,
        Figure("each camera more", "% of a core", tuple(float(each) for each in slope)),
        Figure("cost by cameras: way off a straight line", "%", tuple(lines), at_most=15.0),
    ]


def _simulated(folder: Path, cameras: int) -> tuple[float, float]:
    """Return per cent of a core, and the share of the frames that came."""
    text = "".join(
        f'[[cameras]]\nname = "cam-{n}"\nsource = "sim:orchard?seed={n}&width=640&height=480&fps=1&speed=0"\nfps = 1\n'
        for n in range(cameras)
    )
    (port,) = free_ports(1)
    with daemon(folder / f"data-simulated-{cameras}", text, port) as process:
        time.sleep(SETTLE_S)
        before_s, seen, started_s = total_cpu_s(process.pid), frames(port)[0], time.monotonic()
        time.sleep(STRETCH_S)
        passed_s = time.monotonic() - started_s
        spent_s, came = total_cpu_s(process.pid) - before_s, frames(port)[0] - seen
    return 100 * spent_s / passed_s, came / (cameras * passed_s)


def _off_line(percents: list[float]) -> float:
    """Return how far the worst point lies off the straight line through all, in per cent of the line."""
    line = np.polyval(np.polyfit(CAMERAS, percents, 1, w=1 / np.sqrt(CAMERAS)), CAMERAS)
    return float(100 * np.max(np.abs(np.array(percents) - line) / line))
