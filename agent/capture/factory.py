"""From the address in the configuration to a source."""

import os.path
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agent.capture.decoders import Decoders
from agent.capture.images import IMAGE_SUFFIXES, ImageSource
from agent.capture.orchard import parse_orchard
from agent.capture.remote import RemoteSource
from agent.capture.repeat import RepeatedSource
from agent.capture.simulated import OrchardSource
from agent.config import CameraConfig
from agent.decoder.source import Source


def create_source(camera: CameraConfig, decoders: Decoders | None = None) -> Source:
    """Return the source of a camera, not yet open: no device, file or socket is touched but to see what a path is.

    Args:
        camera: Its configuration.
        decoders: Where video is decoded; None: in a process that ends with the source.

    Raises:
        ConfigError: The address is wrong; the message names the camera, what was found and what is allowed.
    """
    if camera.watched.startswith("sim:"):
        return OrchardSource(parse_orchard(camera.watched))
    path = _path(camera.watched)
    source: Source
    if path is not None and (_is_folder(path) or path.suffix.lower() in IMAGE_SUFFIXES):
        source = ImageSource(path, fps=camera.fps)
    else:
        source = RemoteSource(
            camera.name,
            str(path or camera.watched),
            decoders,
            timeout_s=camera.stall_timeout_s,
            keyframes_only=camera.sampling == "keyframes",
        )
    return RepeatedSource(source) if camera.loop else source


def _path(source: str) -> Path | None:
    """Return the path of a local source, or None for one on the network."""
    if source.startswith("file:"):
        return Path(unquote(urlsplit(source).path))
    return None if "://" in source else Path(source).expanduser()


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  False of what may not be looked at, where Path raises: open() tells it
