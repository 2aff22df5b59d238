"""The socket and the thread behind the page."""

import socket
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette

from agent.errors import FatalError
from agent.web import PageServer
from tests.web.pages import BOX, wait_until


def test_port_in_use(free_port):
    """A port that another program listens on is one clear line at start, naming what to change."""
    with socket.create_server(("127.0.0.1", free_port)):
        page = PageServer(Starlette(), "127.0.0.1", free_port)
        with pytest.raises(FatalError) as refused:
            page.bind()
    expected = f"port {free_port} on 127.0.0.1 is in use by another program; choose another with page.port or --port"
    assert str(refused.value) == expected


def test_two_pages_on_one_port(free_port):
    """The port is taken by ``bind`` already, so that of two boxes started at once one learns of it."""
    first, second = (PageServer(Starlette(), "127.0.0.1", free_port) for _ in range(2))
    first.bind()
    with pytest.raises(FatalError, match="in use"):
        second.bind()
    first.close()
    second.bind()
    second.close()


def test_foreign_address():
    """An address that this machine does not have is one clear line."""
    with pytest.raises(FatalError, match=r"192\.0\.2\.1 is not an address of this machine; change page\.listen"):
        PageServer(Starlette(), "192.0.2.1", 0).bind()


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:{}/"), ("::1", "http://[::1]:{}/"), ("0.0.0.0", "http://127.0.0.1:{}/")],
)
def test_url_can_be_opened(host, url):
    """The address names the real port, and one that a browser can open, for every kind of listening address."""
    server = PageServer(Starlette(), host, 0)
    try:
        server.bind()
    except FatalError:
        pytest.skip(f"this machine has no {host}")
    assert server.url == url.format(server._socket.getsockname()[1])
    server.close()


@pytest.mark.parametrize("watching", [0, 3])
def test_stop_is_prompt(start_page, watching):
    """The server ends within two seconds of the event, open streams included, which end whole and not torn."""
    page = start_page()
    page.show("north", BOX)
    ends = []

    def watch():
        with httpx.stream("GET", f"{page.url}/cameras/north/live.mjpeg", timeout=5) as answer:
            reading.release()
            for _ in answer.iter_raw():
                pass
            ends.append("whole")

    reading = threading.Semaphore(0)
    viewers = [threading.Thread(target=watch) for _ in range(watching)]
    for viewer in viewers:
        viewer.start()
        assert reading.acquire(timeout=5)
    started = time.monotonic()
    page.stop()
    assert time.monotonic() - started < 2
    for viewer in viewers:
        viewer.join(5)
    assert ends == ["whole"] * watching


def test_stop_is_prompt_while_the_status_hangs(start_page):
    """A status that does not come, as from a database on a dying disk, does not keep the server from stopping."""
    page = start_page()
    asked, release = threading.Event(), threading.Event()

    def hang():
        asked.set()
        release.wait(20)
        return page.status

    page.answer = hang
    answers = []
    visitor = threading.Thread(target=lambda: answers.append(httpx.get(f"{page.url}/api/status")))
    visitor.start()
    assert asked.wait(5)
    started = time.monotonic()
    page.stop()
    took_s = time.monotonic() - started
    release.set()
    visitor.join(5)
    assert took_s < 2
    assert answers[0].json() == {"error": "the box is too busy to answer"}


def test_port_is_free_after_stop(start_page):
    """After a stop the same port can be had again at once."""
    page = start_page()
    httpx.get(f"{page.url}/healthz")
    port = int(page.url.rsplit(":", 1)[1])
    page.stop()
    again = start_page(port=port)
    assert httpx.get(f"{again.url}/healthz").status_code == 200


def test_goes_on_after_a_failure(free_port):
    """When a run dies its port is kept: a visitor waits, and is answered by the next run."""

    class HeartbeatLostError(Exception):
        pass

    def die():
        raise HeartbeatLostError

    server = PageServer(Starlette(), "127.0.0.1", free_port)
    server.bind()
    with pytest.raises(HeartbeatLostError):
        server.run(threading.Event(), die)
    with socket.create_connection(("127.0.0.1", free_port)) as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stop = threading.Event()
        thread = threading.Thread(target=server.run, args=(stop, lambda: None))
        thread.start()
        visitor.settimeout(5)
        assert visitor.recv(100).startswith(b"HTTP/1.1 404")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_heart_beats(page):
    """The supervisor hears of the thread all the while, visitors or not."""
    assert wait_until(lambda: page.beats >= 5)
