"""A drawn scene with known tracks, a status to go with it, and a page that really serves both."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx
import numpy as np

from agent.clock import Clock, SystemClock
from agent.status import BoxStatus, CameraService, HourCount
from agent.types import CameraState, CameraStatus, Frame, Image, Instant, Tracks
from agent.web import LiveView, PageServer, create_app
from cloud_sync.outbox import Depth
from cloud_sync.uplink.status import LinkState, LinkStatus

CLASSES = ("apple", "pear")
GREY = 90
BOX = (400.0, 300.0, 800.0, 700.0)
"""In a 1920x1080 frame, so half of it in the page's picture."""


def frame(camera: str = "north", *, at: Instant, index: int = 0, width: int = 1920, height: int = 1080) -> Frame:
    """A grey picture."""
    return Frame(camera, index, at, np.full((height, width, 3), GREY, np.uint8))


def tracks(*boxes: tuple[float, float, float, float], class_id: int = 0, first_id: int = 1) -> Tracks:
    """Tracks of one class, numbered from ``first_id``."""
    n = len(boxes)
    return Tracks(
        track_ids=np.arange(first_id, first_id + n),
        boxes=np.array(boxes, np.float32).reshape(n, 4),
        scores=np.full(n, 0.9, np.float32),
        class_ids=np.full(n, class_id, np.int64),
        fresh=np.zeros(n, np.bool_),
    )


def camera(name: str = "north", state: CameraState = CameraState.LIVE, detail: str = "", **changes) -> CameraStatus:
    since = Instant(utc_ns=0, monotonic_ns=0, boot=0)
    return replace(CameraStatus(name, state, detail, since, 1000, 40, 0, 0, 1920, 1080), **changes)


def box_status(**changes) -> BoxStatus:
    """A box that is well: two cameras, one of which saw nothing to count."""
    status = BoxStatus(
        site="hill",
        device="box-7",
        version="0.1.0",
        uptime_s=7260.0,
        model_name="orchard-yolo26n",
        backend="OpenVINO",
        cameras=(camera("north"), camera("south")),
        sight={"north": "clear"},
        analysed_fps={"north": 4.9, "south": 5.0},
        service={
            "north": CameraService(wanted_fps=10.0, granted_fps=5.0, weight=1.0, cost_ms=81.6, tiles=4),
            "south": CameraService(wanted_fps=5.0, granted_fps=5.0, weight=1.0, cost_ms=None),
        },
        hour=(
            HourCount("north", "*", 1234, 3480.0, 17000, 6.25, 14),
            HourCount("north", "apple", 1234, 3480.0, 17000, 6.25, 14),
            HourCount("south", "*", 0, 3600.0, 18000, 0.0, 0),
        ),
        measures=(),
        link=LinkStatus(LinkState.ONLINE, "", "broker.example:8883", 1, 50, 123_456, 2, 48, 0),
        outbox=Depth(entries=2, size_bytes=900, oldest_utc_ns=0, quarantined=0),
        disk_free_bytes=48_200_000_000,
        database_bytes=21_400_000,
    )
    return replace(status, **changes)


@dataclass
class RunningPage:
    """The page, served by a thread on a free port of loopback, with a status that a test may change."""

    password: str | None = None
    clock: Clock = field(default_factory=SystemClock)
    status: BoxStatus = field(default_factory=box_status)
    answer: Callable[[], BoxStatus] | None = None  # in place of ``status``
    port: int = 0
    beats: int = 0

    def __post_init__(self) -> None:
        self.live = LiveView(("north", "south"), self.clock)
        app = create_app(lambda: self.answer() if self.answer else self.status, self.live, password=self.password)
        self.server = PageServer(app, "127.0.0.1", self.port)

    def start(self) -> "RunningPage":
        self.server.bind()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(self.stopping, self._beat), daemon=True)
        self.thread.start()
        self.url = self.server.url.rstrip("/")
        return self

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def _beat(self) -> None:
        self.beats += 1

    def watchers(self, camera: str) -> int:
        """Count the viewers of a camera, as the page tells them."""
        answer = httpx.get(f"{self.url}/api/status")
        return int(answer.json()["live"]["cameras"][camera]["viewers"])

    def show(self, camera: str = "north", *boxes: tuple[float, float, float, float], class_id: int = 0) -> None:
        """Publish a new grey frame of a camera, with boxes."""
        shown = frame(camera, at=self.clock.now())
        self.live.publish(shown, tracks(*boxes, class_id=class_id), CLASSES)

    def show_image(self, camera: str, image: Image) -> None:
        """Publish a new frame of a camera, without boxes."""
        self.live.publish(Frame(camera, 0, self.clock.now(), image), tracks(), CLASSES)


def wait_until(fact: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Look until something is so; return whether it came to be."""
    deadline = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
