"""Fixtures of the capture tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture import Decoders
from tests.capture.cameras import RtspServer, Watcher, make_video
from tests.waiting import free_ports


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three seconds at 15 frames a second."""
    return make_video(tmp_path / "video.mp4")


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    """Decoder processes for several sources of a test."""
    decoders = Decoders()
    yield decoders
    decoders.close()


@pytest.fixture
def watch() -> Iterator[Watcher]:
    """Start a grabber by the address of its source."""
    watcher = Watcher()
    yield watcher
    for watched in watcher.running:
        watched.stop.set()
    for watched in watcher.running:
        watched.thread.join(10)
        assert not watched.thread.is_alive(), "the grabber did not end"
    watcher.decoders.close()


@pytest.fixture
def rtsp(tmp_path: Path) -> Iterator[RtspServer]:
    """An RTSP server, not yet started, of a folder with the three-second ``video.mp4``."""
    folder = tmp_path / "published"
    folder.mkdir()
    make_video(folder / "video.mp4")
    server = RtspServer(folder, *free_ports(2))
    yield server
    server.kill()
