"""Live pictures over a real connection."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import cv2
import httpx
import numpy as np
import pytest

from agent.web import server
from agent.web.drawing import colour_of
from agent.web.stream import VIEWERS_MAX
from tests.web.pages import BOX, RunningPage, wait_until


def pictures(answer: httpx.Response) -> Iterator[np.ndarray]:
    """Decode the parts of a stream as they come, each as soon as its closing boundary is there."""
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/x-mixed-replace"
    received = b""
    for data in answer.iter_raw():
        received += data
        *parts, received = received.split(f"--{boundary}\r\n".encode())
        for part in filter(None, parts):
            head, _, jpeg = part.partition(b"\r\n\r\n")
            assert b"Content-Type: image/jpeg" in head
            yield cv2.imdecode(np.frombuffer(jpeg.removesuffix(b"\r\n"), np.uint8), cv2.IMREAD_COLOR)


def watch(page: RunningPage, camera: str = "north"):
    return httpx.stream("GET", f"{page.url}/cameras/{camera}/live.mjpeg", timeout=5)


def test_pictures_follow_the_frames(page):
    """The stream starts with what there is, and each new step comes as one more picture with its boxes."""
    with watch(page) as answer:
        stream = pictures(answer)
        assert np.median(next(stream)) < 60  # the placeholder
        for class_id in (0, 1):
            page.show("north", BOX, class_id=class_id)
            edge = next(stream)[200:300, 200].astype(int)
            assert np.abs(edge - tuple(bytes.fromhex(colour_of(class_id)[1:]))[::-1]).mean() < 40
        page.show("north")
        assert np.abs(next(stream).astype(int) - 90).max() < 10  # no box: grey all over


def test_unchanged_picture_is_not_sent_again(page):
    """While nothing new is analysed nothing is sent."""
    page.show("north", BOX)
    with httpx.stream("GET", f"{page.url}/cameras/north/live.mjpeg", timeout=1) as answer:
        stream = pictures(answer)
        next(stream)
        with pytest.raises(httpx.ReadTimeout):
            next(stream)


def test_pace_is_bounded(page):
    """A camera analysed far faster than ten times a second is shown at about ten pictures a second."""
    with watch(page) as answer:
        stream = pictures(answer)
        next(stream)
        started, seen = time.monotonic(), 0
        while time.monotonic() - started < 1:
            page.show("north")
            page.show("north", BOX)
            next(stream)
            seen += 1
        assert seen <= 11


def test_one_viewer_too_many_is_told(page):
    """All places taken is 503 with a hint, other cameras are not concerned, and a place that is left is free again."""
    with ExitStack() as watching:
        streams = [pictures(watching.enter_context(watch(page))) for _ in range(VIEWERS_MAX)]
        for stream in streams:
            next(stream)
        refused = httpx.get(f"{page.url}/cameras/north/live.mjpeg")
        assert refused.status_code == 503
        assert "snapshot.jpg" in refused.json()["error"]
        assert refused.headers["retry-after"]
        with watch(page, "south") as other:
            assert other.status_code == 200
    assert wait_until(lambda: page.watchers("north") == 0)
    with watch(page) as answer:
        assert answer.status_code == 200


def test_viewer_that_takes_nothing_loses_its_place(start_page, monkeypatch):
    """A viewer who left the network without a word is given up, and keeps neither place nor memory."""
    monkeypatch.setattr(server, "_GONE_AFTER_MS", 500)
    page = start_page()
    noise = np.random.default_rng(1).integers(0, 255, (540, 960, 3), np.uint8)
    with socket.create_connection(("127.0.0.1", int(page.url.rsplit(":", 1)[1]))) as silent:
        silent.sendall(b"GET /cameras/north/live.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wait_until(lambda: page.watchers("north") == 1)

        def gone():
            page.show_image("north", noise)
            return page.watchers("north") == 0

        assert wait_until(gone, within_s=15)
