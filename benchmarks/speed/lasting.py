"""Whether memory stays flat: eight cameras for a while, a sample a minute, and a straight line through what was found.

Half of the cameras see a still scene, half a row of trees that goes by, so that the detector, the tracker, a zone and
the pictures of evidence have work; the link is away, so that the outbox grows. All at key frames, which costs a third
of a core: what leaks, leaks there too.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import av
import numpy as np
from numpy.typing import ArrayLike

from agent.capture import replay
from agent.clock import ManualClock
from agent.config import CameraConfig
from benchmarks.capture_cost import still_scene
from benchmarks.daemon import daemon
from benchmarks.figures import Figure
from benchmarks.processes import own_mb, processes_of
from benchmarks.speed.cameras import serving
from tests.waiting import free_ports

CAMERAS = 8
FPS = 10
MOST_PERCENT = 2.0
"""What surely grows by more than this, over the whole time, leaks."""

_SURE = 2.0  # standard errors: 95%
_SAMPLES = 30  # at least; a run of half an hour or more has one a minute
_SETTLE_S = 60.0
_SETTLE_SHARE = 0.05  # of the time: caches fill in the first minutes


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through samples, by least squares."""

    mean: float
    slope: float  # a unit of time
    error: float  # standard error of the slope

    @classmethod
    def of(cls, times: ArrayLike, values: ArrayLike) -> "Trend":
        """Fit the line. Neighbours that lie off it alike are fewer samples than they seem: the error grows by that.

        Raises:
            ValueError: Fewer than three samples: any line would fit.

        Source: effective sample size of an AR(1) series, n (1 - r) / (1 + r), with r the autocorrelation at lag 1
        (Bayley and Hammersley, 1946).
        """
        x, y = np.asarray(times, float), np.asarray(values, float)
        if len(x) < 3:
            raise ValueError(f"samples: found {len(x)}; allowed: at least 3")
        x = x - x.mean()
        slope = float(x @ y / (x @ x))
        off = y - y.mean() - slope * x
        squares = float(off @ off)
        alike = max(0.0, float(off[1:] @ off[:-1]) / squares) if squares else 0.0
        freedom = max(1.0, len(y) * (1 - alike) / (1 + alike) - 2)
        return cls(float(y.mean()), slope, float(np.sqrt(squares / freedom / (x @ x))))

    def percent(self, time_passed: float) -> tuple[float, float, float]:
        """Return the growth over a time in per cent of the mean: at least, most likely, at most (95%)."""
        scale = 100 * time_passed / self.mean
        low, high = self.slope - _SURE * self.error, self.slope + _SURE * self.error
        return (low * scale, self.slope * scale, high * scale)


def growth(folder: Path, *, minutes: float, say: Callable[[str], None]) -> list[Figure]:
    """Watch eight cameras, and fit a line through the memory that the agent and its decoder asked for."""
    (port, nobody) = free_ports(2)
    with serving(folder) as server:
        still = server.url(still_scene(server.folder, 640, 480))
        row = server.url(_make_row(server.folder / "row-640x480.mp4").name)
        text = "".join(_camera(number, row if number % 2 else still) for number in range(CAMERAS))
        away = f'[sync]\nbroker = "mqtt://127.0.0.1:{nobody}"\n'
        with daemon(folder / "data-growth", text + away, port) as process:
            time.sleep(max(_SETTLE_S, 60 * minutes * _SETTLE_SHARE))
            samples = _samples(process, 60 * minutes, say)
    return _figures(samples, minutes, say)


def _figures(samples: Sequence[tuple[float, float, float]], minutes: float, say: Callable[[str], None]) -> list[Figure]:
    """Return the figures of samples: minutes passed, MB of the agent, MB of its decoder."""
    times, agent, decoder = (np.array(column) for column in zip(*samples, strict=True))
    for name, values in (("agent", agent), ("decoder", decoder)):
        say(f"  {name}: {_told(Trend.of(times, values))}")
    trend = Trend.of(times, agent + decoder)
    low, likely, high = trend.percent(minutes)
    note = f"{minutes:g} min, {CAMERAS} cameras, {len(samples)} samples: {_told(trend)}"
    return [
        Figure("memory's growth, 95% between", "%", (low, likely, high), note=note),
        Figure("memory's growth, surely", "%", (max(0.0, low),), at_most=MOST_PERCENT),
    ]


def _told(trend: Trend) -> str:
    return f"{trend.mean:.1f} MB, {60 * trend.slope:+.2f} +- {60 * trend.error:.2f} MB an hour"


def _samples(process: Popen[bytes], seconds: float, say: Callable[[str], None]) -> list[tuple[float, float, float]]:
    samples: list[tuple[float, float, float]] = []
    started_s, every_s = time.monotonic(), min(60.0, seconds / _SAMPLES)
    while (passed_s := time.monotonic() - started_s) < seconds + every_s / 2:
        agent, *decoders = (own_mb(pid) for pid in processes_of(process.pid))
        samples.append((passed_s / 60, agent, sum(decoders)))
        say(f"  {passed_s / 60:5.1f} min: agent {agent:.1f} MB, decoder {sum(decoders):.1f} MB")
        time.sleep(max(0.0, started_s + len(samples) * every_s - time.monotonic()))
    return samples


def _camera(number: int, url: str) -> str:
    lines = f'[[cameras]]\nname = "cam-{number}"\nsource = "{url}"\nsampling = "keyframes"\n'
    zone = '[[cameras.zones]]\nname = "middle"\npolygon = [[0.2, 0.1], [0.8, 0.1], [0.8, 0.9], [0.2, 0.9]]\n'
    return lines + zone


def _make_row(path: Path, *, seconds: int = 16) -> Path:
    """Write the simulated orchard as a camera that moves along a row encodes it, a key frame each two seconds."""
    camera = CameraConfig(name="row", source=f"sim:orchard?width=640&height=480&fps={FPS}&speed=60", sampling="all")
    frames = replay(camera, ManualClock(utc_ns=0, monotonic_ns=0, boot=0))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.codec_context.gop_size = 2 * FPS
        for _, frame in zip(range(seconds * FPS), frames, strict=False):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.image), format="bgr24")))
        container.mux(stream.encode())
    return path
