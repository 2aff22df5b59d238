"""HTTP: a file that a server has in full, and a camera that sends JPEG after JPEG."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.capture import replay
from agent.clock import ManualClock
from agent.config import CameraConfig
from agent.types import CameraState
from tests.capture.cameras import Watcher, make_video
from tests.waiting import eventually


class Files(SimpleHTTPRequestHandler):
    """Serves a folder in silence."""

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Mjpeg(BaseHTTPRequestHandler):
    """Sends an image each 50 ms, as cheap cameras do; asks for a password under /locked."""

    def do_GET(self) -> None:
        if self.path == "/locked":
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
        try:
            while True:
                self.wfile.write(head + jpeg + b"\r\n")
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


class Garbage(BaseHTTPRequestHandler):
    """Sends random bytes for ever, and calls them video."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/h264")
        self.end_headers()
        rng = np.random.default_rng(1)
        try:
            while True:
                self.wfile.write(rng.bytes(20_000))
        except OSError:
            return

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def served(handler: object) -> Iterator[str]:
    """Serve on loopback; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_file_of_a_web_server(tmp_path: Path) -> None:
    """A video that a web server has in full is a recording: it can be replayed from end to end."""
    make_video(tmp_path / "video.mp4", frames=20)
    with served(partial(Files, directory=str(tmp_path))) as address:
        config = CameraConfig(name="cam", source=f"{address}/video.mp4", fps=120)
        assert len(list(replay(config, ManualClock()))) == 20


def test_mjpeg_camera(watch: Watcher) -> None:
    """A camera that sends JPEGs over HTTP is live and dated by arrival, for such a stream has no time of its own."""
    with served(Mjpeg) as address:
        cam = watch(f"{address}/", fps=10)
        first, second = cam.slot.take(5), cam.slot.take(5)
        assert second.captured.monotonic_ns - first.captured.monotonic_ns >= 80_000_000
        assert cam.grabber.status().state is CameraState.LIVE


def test_locked_page(watch: Watcher) -> None:
    """A camera that asks for a password is unauthorised."""
    with served(Mjpeg) as address:
        cam = watch(f"{address}/locked")
        eventually(lambda: bool(cam.states))
        assert cam.states[0].state is CameraState.UNAUTHORISED


def test_missing_page(tmp_path: Path, watch: Watcher) -> None:
    """An address that the server does not know is a failure that names the reason."""
    with served(partial(Files, directory=str(tmp_path))) as address:
        cam = watch(f"{address}/none.mp4")
        eventually(lambda: bool(cam.states))
        assert cam.states[0].state is CameraState.FAILED
        assert "404" in cam.states[0].detail


@pytest.mark.parametrize("name", ["x.h264", "x.mp4"])
def test_a_decoder_fed_garbage(watch: Watcher, name: str) -> None:
    """A camera that sends random bytes for ever shows nothing, is told so and tried again; its decoder lives."""
    with served(Garbage) as url:
        cam = watch(f"{url}/{name}", stall_timeout_s=0.5)
        eventually(lambda: sum(cam.grabber.status().failures.values()) >= 2, 30)
        cam.stop.set()
        cam.thread.join(10)
    assert watch.decoders.lost == 0
    assert cam.grabber.status().frames_captured == 0
