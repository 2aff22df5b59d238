"""Frames to calibrate with: from a folder of images, or from the box's own cameras. They stay in memory."""

from collections.abc import Callable
from pathlib import Path

from agent.capture import SourceError, create_source
from agent.clock import Clock
from agent.config import CameraConfig
from agent.detection.folder import list_images, read_image
from agent.errors import FatalError, RejectedError
from agent.planes import bgr_of
from agent.types import Image

MOST = 160  # frames: 200 MB at 640 x 640
LEAST = 12
_EVERY_S = 0.5
_MOST_S = 60.0  # at one camera

Progress = Callable[[int, int], None]


def frames_of_folder(folder: Path, *, most: int = MOST) -> list[Image]:
    """Read images from a folder and below it, spread evenly where there are more than ``most``.

    Raises:
        FatalError: Too few can be read.
    """
    names = list_images(folder)
    frames = []
    for name in names[:: -(-len(names) // most)]:
        try:
            frames.append(read_image(folder / name))
        except RejectedError:
            continue  # a broken image among many does not matter; too few of them are told below
    return _enough(frames, str(folder))


def frames_of_cameras(cameras: tuple[CameraConfig, ...], clock: Clock, *, on_progress: Progress) -> list[Image]:
    """Take a frame of each camera every half second, for a minute at most. A camera that is away is passed over.

    Raises:
        FatalError: Too few came.
    """
    each = max(1, MOST // len(cameras))
    frames: list[Image] = []
    for camera in cameras:
        frames += _frames_of_camera(camera, each, clock)
        on_progress(len(frames), each * len(cameras))
    return _enough(frames, f"{len(cameras)} cameras")


def _frames_of_camera(camera: CameraConfig, most: int, clock: Clock) -> list[Image]:
    source = create_source(camera)
    started_ns, wanted_ns = clock.now().monotonic_ns, 0
    frames: list[Image] = []
    try:
        source.open()
        while len(frames) < most and clock.now().monotonic_ns - started_ns < _MOST_S * 1e9:
            picture = source.read()
            if picture is None:
                break
            at_ns = picture.stream_ns if picture.stream_ns is not None else clock.now().monotonic_ns
            if at_ns >= wanted_ns:
                frames.append(bgr_of(picture.to_pixels()))
                wanted_ns = at_ns + round(_EVERY_S * 1e9)
    except SourceError:
        return frames  # what came before is as good
    finally:
        source.close()
    return frames


def _enough(frames: list[Image], where: str) -> list[Image]:
    if len(frames) < LEAST:
        raise FatalError(f"INT8 wants at least {LEAST} frames to calibrate with; {where} gave {len(frames)}")
    return frames
