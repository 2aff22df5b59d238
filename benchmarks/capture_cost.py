"""What watching costs: processor and memory of the whole daemon on still scenes, by stream and number of cameras.

Each round runs `hedgerow run` on cameras that a real RTSP server serves, as a process of its own that is not counted.
The agent and its decoder process are. Processor time is measured over a stretch after the start; memory is the
proportional set size (PSS), in which pages that both share count once.

    python -m benchmarks.capture_cost [--seconds 20] [--json]
"""

import argparse
import json
import re
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np

from benchmarks.daemon import daemon, frames
from benchmarks.processes import cpu_s, processes_of, pss_mb
from tests.capture.cameras import RtspServer
from tests.waiting import free_ports


@dataclass(frozen=True)
class Case:
    """One way to watch."""

    name: str
    cameras: int
    width: int
    height: int
    lines: str = ""  # of each camera's configuration


@dataclass(frozen=True)
class Cost:
    """Of the daemon, the decoder process included."""

    case: str
    core_percent: float  # all cameras together
    decoder_percent: float  # of that
    memory_mb: float
    analysed: int
    still: int


CASES = (
    Case("main stream 1080p25, 5 fps, gate", 1, 1920, 1080),
    Case("main stream 1080p25, 5 fps, no gate", 1, 1920, 1080, "motion.gate = false"),
    Case("main stream 1080p25, key frames, gate", 1, 1920, 1080, 'sampling = "keyframes"'),
    Case("sub-stream 640x480 25, 5 fps, gate", 1, 640, 480),
    Case("sub-stream 640x480 25, key frames, gate", 1, 640, 480, 'sampling = "keyframes"'),
    Case("8 sub-streams 640x480 25, 5 fps, gate", 8, 640, 480),
)


def make_still(path: Path, width: int, height: int, *, seconds: int = 8, fps: int = 25) -> None:
    """Write a still scene with a sensor's noise, as a camera's encoder would: a key frame each two seconds."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(40, 216, (height // 40, width // 40, 3)).astype(np.uint8)
    scene = np.kron(coarse, np.ones((40, 40, 1), np.uint8))[:height, :width]
    field = rng.normal(0, 3, (height + 64, width + 64, 1)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "veryfast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate, stream.codec_context.gop_size = width * height * 2, 2 * fps
        for _ in range(seconds * fps):
            x, y = rng.integers(0, 64, 2)
            noisy = np.clip(scene + field[y : y + scene.shape[0], x : x + scene.shape[1]], 0, 255).astype(np.uint8)
            noisy = np.pad(noisy, ((0, height - noisy.shape[0]), (0, width - noisy.shape[1]), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="bgr24")))
        container.mux(stream.encode())


def still_scene(folder: Path, width: int, height: int) -> str:
    """Return the name of a still scene of that size in a folder, made where it is not there yet."""
    name = f"still-{width}x{height}.mp4"
    if not (folder / name).exists():
        make_still(folder / name, width, height)
    return name


def cameras_of(case: Case, url: str) -> str:
    """Return the cameras of a case, as the configuration has them."""
    return "".join(f'[[cameras]]\nname = "cam-{n}"\nsource = "{url}"\n{case.lines}\n' for n in range(case.cameras))


def measure(case: Case, folder: Path, server: RtspServer, *, settle_s: float, seconds: float) -> Cost:
    name = still_scene(server.folder, case.width, case.height)
    (port,) = free_ports(1)
    data = folder / f"data-{re.sub('[^a-z0-9]+', '-', case.name)}"
    with daemon(data, cameras_of(case, server.url(name)), port) as process:
        time.sleep(settle_s)
        pids = processes_of(process.pid)
        before, seen = [cpu_s(pid) for pid in pids], frames(port)
        started = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - started
        spent = [cpu_s(pid) - was for pid, was in zip(pids, before, strict=True)]
        captured, still = (now - was for now, was in zip(frames(port), seen, strict=True))
        memory = sum(pss_mb(pid) for pid in pids)
    percent = [100 * each / passed for each in spent]
    return Cost(case.name, round(sum(percent), 1), round(sum(percent[1:]), 1), round(memory), captured - still, still)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=20.0)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "published").mkdir()
        server = RtspServer(folder / "published", *free_ports(2))
        server.start()
        try:
            cases = [case for case in CASES if options.only in case.name]
            costs = [measure(case, folder, server, settle_s=options.settle, seconds=options.seconds) for case in cases]
        finally:
            server.kill()
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs], indent=2))
        return
    print(f"{'case':40s} {'% of a core':>12s} {'of it decoder':>14s} {'MB':>6s} {'looked at':>10s} {'still':>6s}")
    for c in costs:
        costs_of = f"{c.case:40s} {c.core_percent:12.1f} {c.decoder_percent:14.1f} {c.memory_mb:6.0f}"
        print(f"{costs_of} {c.analysed:10d} {c.still:6d}")


if __name__ == "__main__":
    main()
