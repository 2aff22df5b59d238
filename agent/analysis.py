"""The one thread that analyses: it serves all cameras, each time the newest frame of the one whose turn it is."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import structlog

from agent.capture import FrameSlot
from agent.clock import Clock
from agent.errors import RejectedError
from agent.pipeline import CameraPipeline, Step
from agent.status import CameraService
from agent.turns import Share, Turns
from agent.types import Frame

log = structlog.get_logger()

_WAIT_S = 0.5
_SLOWED = 0.9  # a camera that gets less than this of what it wants is said to be slowed
_FRAME_ERRORS = (RejectedError, ValueError, cv2.error)
"""What a bad frame can cause. Anything else is a fault of the program, and ends the thread."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A camera to be served: where its frames lie, what is made of them, and how much of the time it may have."""

    slot: FrameSlot
    pipeline: CameraPipeline
    share: Share


@dataclass(slots=True)
class _Served:
    feed: Feed
    taken: int = 0
    analysed: int = 0
    rejected: int = 0
    rejected_in_a_row: int = 0
    slowed: bool = False


class AnalysisLoop:
    """Runs each camera's pipeline on its newest frame, in turns, and hands on what comes out.

    One thread for all, because the detector uses all cores anyway. A camera whose frames cannot be analysed is logged
    and counted, and costs the others nothing but its turn; one whose frames cost much gets fewer turns.
    """

    def __init__(
        self, feeds: Sequence[Feed], arrived: threading.Event, on_step: Callable[[Step], None], *, clock: Clock
    ) -> None:
        """Take what is to be served.

        Args:
            feeds: One a camera.
            arrived: The event that all their slots set when a frame comes, so that one wait serves them all.
            on_step: Called on the analysing thread with each analysed frame; must be quick and must not raise.
            clock: Dates turns; the one that dated the frames.
        """
        self._served = {feed.pipeline.camera: _Served(feed) for feed in feeds}
        self._turns = Turns([feed.share for feed in feeds])
        self._arrived = arrived
        self._on_step = on_step
        self._clock = clock

    @property
    def analysed(self) -> dict[str, int]:
        """Frames analysed so far, by camera."""
        return {camera: served.analysed for camera, served in self._served.items()}

    @property
    def rejected(self) -> dict[str, int]:
        """Frames that could not be analysed so far, by camera."""
        return {camera: served.rejected for camera, served in self._served.items()}

    def service(self) -> dict[str, CameraService]:
        """Return how each camera is served; safe from any thread."""
        return {camera: self._service(camera, served) for camera, served in self._served.items()}

    def _service(self, camera: str, served: _Served) -> CameraService:
        cost_s = self._turns.cost_s(camera)
        return CameraService(
            wanted_fps=served.feed.share.fps,
            granted_fps=self._turns.granted_fps(camera),
            weight=served.feed.share.weight,
            cost_ms=None if cost_s is None else cost_s * 1000,
        )

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve the cameras until ``stop`` is set, calling ``beat`` at least twice a second while frames are quick."""
        while not stop.is_set():
            beat()
            self._arrived.clear()  # before looking: a frame that comes meanwhile sets it again
            self._review()
            waiting = [camera for camera, served in self._served.items() if served.feed.slot.filled]
            camera = self._turns.pick(waiting, self._now_ns())
            if camera is None:
                self._arrived.wait(self._wait_s(waiting))
            else:
                self._serve(camera)

    def _now_ns(self) -> int:
        return self._clock.now().monotonic_ns

    def _wait_s(self, waiting: Sequence[str]) -> float:
        """Return how long nothing is to be done unless a frame comes."""
        due_ns = self._turns.next_due_ns(waiting)
        return _WAIT_S if due_ns is None else min(_WAIT_S, max(0.0, (due_ns - self._now_ns()) / 1e9))

    def _serve(self, camera: str) -> None:
        served = self._served[camera]
        frame = served.feed.slot.take(0.0)
        if frame is None:
            return
        served.taken += 1
        started_ns = self._now_ns()
        self._analyse(served, frame)
        self._turns.note_served(camera, started_ns, self._now_ns())

    def _review(self) -> None:
        arrived = {
            camera: served.taken + served.feed.slot.dropped + served.feed.slot.late + served.feed.slot.filled
            for camera, served in self._served.items()
        }
        if not self._turns.review(arrived, self._now_ns()):
            return
        for camera, served in self._served.items():
            granted, wanted = self._turns.granted_fps(camera), served.feed.share.fps
            if served.slowed != (granted < _SLOWED * wanted):
                served.slowed = not served.slowed
                event = "camera_slowed" if served.slowed else "camera_at_full_rate"
                log.info(event, camera=camera, granted_fps=round(granted, 2), wanted_fps=wanted)

    def _analyse(self, served: _Served, frame: Frame) -> None:
        try:
            step = served.feed.pipeline.step(frame, paced_s=self._turns.paced_s(frame.camera))
        except _FRAME_ERRORS as error:
            self._note_rejected(served, error)
            return
        if served.rejected_in_a_row:
            log.info("frames_analysed_again", camera=frame.camera, rejected=served.rejected_in_a_row)
            served.rejected_in_a_row = 0
        served.analysed += 1
        self._on_step(step)

    def _note_rejected(self, served: _Served, error: Exception) -> None:
        served.rejected += 1
        served.rejected_in_a_row += 1
        if served.rejected_in_a_row == 1:
            log.warning("frame_rejected", camera=served.feed.pipeline.camera, error=f"{type(error).__name__}: {error}")
