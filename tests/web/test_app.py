"""The addresses, and who may ask them: over a real connection."""

import base64
import json
import threading

import cv2
import httpx
import numpy as np
import pytest

from agent.clock import SystemClock
from agent.errors import RetryableError
from agent.web import LiveView, app, create_app
from tests.web.pages import BOX, RunningPage, wait_until

PASSWORD = "grüne Äpfel"
ANSWERS = ["/", "/healthz", "/api/status", "/cameras/north/snapshot.jpg", "/static/page.js", "/static/page.css"]
REFUSALS = [
    "/nothing",
    "/cameras/east/snapshot.jpg",
    "/cameras/east/live.mjpeg",
    "/static/../app.py",
    "/static/nothing",
]


@pytest.fixture(scope="module")
def page():
    """One page without a password for all tests that change nothing of it."""
    started = RunningPage().start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def locked():
    """One page with a password."""
    started = RunningPage(password=PASSWORD).start()
    yield started
    started.stop()


def test_status_is_the_whole_status(page):
    """/api/status is the box's status as plain JSON, with the age and legend of each picture beside it."""
    page.show("north", BOX)
    told = httpx.get(f"{page.url}/api/status").json()
    live = told.pop("live")
    assert told == json.loads(json.dumps(page.status.as_dict()))
    assert live["cameras"]["north"]["colours"].keys() == {"apple", "pear"}
    assert live["cameras"]["south"]["age_s"] is None
    assert live["now"]["monotonic_ns"] > 0


def test_status_that_cannot_be_had(start_page):
    """When the box cannot tell its status the answer is 503 with the reason in one line."""

    def busy():
        raise RetryableError("the database is busy")

    page = start_page(answer=busy)
    answer = httpx.get(f"{page.url}/api/status")
    assert (answer.status_code, answer.json()) == (503, {"error": "the database is busy"})


def test_hanging_status_harms_nothing_else(start_page, monkeypatch):
    """While the status hangs, each who asks is told so after a while, and the rest of the page is served."""
    monkeypatch.setattr(app, "STATUS_TIMEOUT_S", 0.3)
    release = threading.Event()
    calls = []

    def hang():
        calls.append(1)
        release.wait(20)
        return page.status

    page = start_page(answer=hang)
    for _ in range(3):
        answer = httpx.get(f"{page.url}/api/status")
        assert (answer.status_code, answer.json()) == (503, {"error": "the box is too busy to answer"})
    assert httpx.get(f"{page.url}/cameras/north/snapshot.jpg").status_code == 200
    assert len(calls) == 1
    release.set()
    assert wait_until(lambda: httpx.get(f"{page.url}/api/status").status_code == 200)


def test_snapshot_is_a_picture(page):
    """A snapshot is a JPEG of the newest frame, small enough for the page."""
    page.show("north", BOX)
    answer = httpx.get(f"{page.url}/cameras/north/snapshot.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR).shape == (540, 960, 3)


@pytest.mark.parametrize("path", ["/cameras/east/snapshot.jpg", "/cameras/east/live.mjpeg"])
def test_unknown_camera(page, path):
    """A camera that is not there is 404, naming those that are."""
    answer = httpx.get(page.url + path)
    assert (answer.status_code, answer.json()) == (404, {"error": "no camera is named 'east'; there are: north, south"})


@pytest.mark.parametrize("path", [*ANSWERS, *REFUSALS])
def test_security_headers_on_every_answer(page, path):
    """Every answer, good or bad, forbids framing, sniffing, foreign content and reading by other sites."""
    headers = httpx.get(page.url + path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers
    private = path.startswith(("/api", "/cameras", "/healthz"))
    assert headers["cache-control"] == (
        "no-store" if private or headers.get("content-type") == "application/json" else "no-cache"
    )


@pytest.mark.parametrize("path", REFUSALS)
def test_nothing_else_is_served(page, path):
    """What is not an address of the page is 404, files outside the static folder included."""
    request = httpx.Request("GET", page.url + path)
    request.url = request.url.copy_with(raw_path=path.encode())
    with httpx.Client() as client:
        assert client.send(request).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/api/status", "/cameras/north/live.mjpeg"])
def test_only_get(page, method, path):
    """The page changes nothing, so it answers GET alone."""
    answer = httpx.request(method, page.url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "path", ["/", "/api/status", "/cameras/north/snapshot.jpg", "/cameras/north/live.mjpeg", "/static/page.js"]
)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic " + base64.b64encode(b"hedgerow:wrong").decode(),
        "Basic " + base64.b64encode(PASSWORD.encode()).decode(),  # no colon: a user name alone
        "Basic not base64",
        "Basic é",
        "Bearer x",
        "",
    ],
)
def test_password_is_asked_for(locked, path, authorization):
    """With a password set, nothing of the box is told without it: 401 and a challenge."""
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    answer = httpx.get(locked.url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.json() == {"error": "the page asks for its password"}


@pytest.mark.parametrize("user", ["hedgerow", "", "anybody"])
def test_password_opens(locked, user):
    """The right password opens everything, whatever the user name, and from any host name."""
    answer = httpx.get(f"{locked.url}/api/status", auth=(user, PASSWORD), headers={"Host": "box-7.farm.example"})
    assert answer.status_code == 200
    assert PASSWORD not in answer.text


def test_health_probe_needs_no_password(locked):
    """A probe learns that the page answers, and nothing of the box."""
    answer = httpx.get(f"{locked.url}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_empty_password_is_refused():
    """An empty password file must not open the page to everybody."""
    with pytest.raises(ValueError, match="empty"):
        create_app(lambda: None, LiveView((), SystemClock()), password="")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8642", "127.0.0.1", "127.0.0.1:9000", "[::1]:8642", "127.0.0.2"]
)
def test_loopback_names_are_answered(page, host):
    """Without a password the page answers to this machine's own names, with any port, as a tunnel gives it."""
    assert httpx.get(f"{page.url}/api/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8642", "192.168.1.5", "[::", "", "user@evil.example"],
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/cameras/north/snapshot.jpg"])
def test_other_names_are_refused(page, host, path):
    """Without a password a web site that points its own name at loopback (DNS rebinding) learns nothing."""
    answer = httpx.get(page.url + path, headers={"Host": host})
    assert answer.status_code == 403
    assert "box-7" not in answer.text
