"""The recording that the contenders share, and the models that run on it; made once, then kept."""

import subprocess
import sys
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import av
import cv2
import numpy as np

from agent.capture import replay
from agent.clock import ManualClock
from agent.config import CameraConfig
from agent.types import Image

WIDTH, HEIGHT, FPS = 1920, 1080, 25
BIT_RATE = 4_000_000  # what cameras are set to for 1080p25
_ORCHARD = f"sim:orchard?width={WIDTH}&height={HEIGHT}&fps={FPS}"


@dataclass(frozen=True, slots=True)
class Models:
    """One set of weights in each form that runs. All see a 1080p frame at 384x640."""

    weights: Path | None = None  # the .pt
    exported: Path | None = None
    int8: Path | None = None


def make_recording(path: Path, source: Path | None, frames: int) -> Path:
    """Write a 1080p25 recording as a camera encodes it, a key frame each two seconds; from a video, or drawn.

    Args:
        path: Where to; left alone where it is already.
        source: A video, scaled up; None: the simulated orchard.
        frames: How many; a video that is shorter is played again.
    """
    if path.exists():
        return path
    camera = CameraConfig(name="bench", source=str(source.absolute()) if source else _ORCHARD, sampling="all")
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate, stream.codec_context.gop_size = BIT_RATE, 2 * FPS
        again = chain.from_iterable(replay(camera, ManualClock(utc_ns=0, monotonic_ns=0, boot=0)) for _ in repeat(0))
        for _, frame in zip(range(frames), again, strict=False):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(_full_size(frame.image), format="bgr24")))
        container.mux(stream.encode())
    return unfinished.replace(path)


def _full_size(image: Image) -> Image:
    if image.shape[:2] == (HEIGHT, WIDTH):
        return np.ascontiguousarray(image)
    return np.asarray(cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def add_models(data: Path, weights: Path, images: Path) -> Models:
    """Add the weights as a user would: exported, and quantised on the training photographs. Minutes, once.

    Raises:
        CalledProcessError: `hedgerow models add` refused; it said why.
    """
    if not weights.is_file():
        return Models()
    exported = _added(data, weights, "bench-float")
    int8 = _added(data, weights, "bench-int8", "--int8", str(images)) if images.is_dir() else None
    return Models(
        weights,
        exported / "384x640.onnx",
        int8 / "384x640-int8" if int8 and (int8 / "384x640-int8").is_dir() else None,
    )


def _added(data: Path, weights: Path, name: str, *more: str) -> Path:
    folder = data / "models" / name
    if not folder.exists():
        program = Path(sys.executable).parent / "hedgerow"
        command = [str(program), "models", "add", str(weights), "--name", name, "--data", str(data), *more]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return folder
