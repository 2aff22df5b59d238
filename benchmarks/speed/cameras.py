"""The cameras that are watched: a real RTSP server of recordings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.capture.cameras import RtspServer
from tests.waiting import free_ports


@contextmanager
def serving(folder: Path) -> Iterator[RtspServer]:
    """Serve ``folder/published`` while it lasts."""
    published = folder / "published"
    published.mkdir(exist_ok=True)
    server = RtspServer(published, *free_ports(2))
    server.start()
    try:
        yield server
    finally:
        server.kill()
