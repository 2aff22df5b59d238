"""The one thread that analyses: it serves all cameras in turn, each time the newest frame of each."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import structlog

from agent.capture import FrameSlot
from agent.errors import RejectedError
from agent.pipeline import CameraPipeline, Step
from agent.types import Frame

log = structlog.get_logger()

_WAIT_S = 0.5
_FRAME_ERRORS = (RejectedError, ValueError, cv2.error)
"""What a bad frame can cause. Anything else is a fault of the program, and ends the thread."""


@dataclass(slots=True)
class _Feed:
    slot: FrameSlot
    pipeline: CameraPipeline
    analysed: int = 0
    rejected: int = 0
    rejected_in_a_row: int = 0


class AnalysisLoop:
    """Runs each camera's pipeline on its newest frame, round robin, and hands on what comes out.

    One thread for all, because the detector uses all cores anyway. A camera whose frames cannot be analysed is logged
    and counted, and costs the others nothing but its turn.
    """

    def __init__(
        self,
        feeds: Sequence[tuple[FrameSlot, CameraPipeline]],
        arrived: threading.Event,
        on_step: Callable[[Step], None],
    ) -> None:
        """Take what is to be served.

        Args:
            feeds: By camera, its slot and its pipeline.
            arrived: The event that all these slots set when a frame comes, so that one wait serves them all.
            on_step: Called on the analysing thread with each analysed frame; must be quick and must not raise.
        """
        self._feeds = {pipeline.camera: _Feed(slot, pipeline) for slot, pipeline in feeds}
        self._arrived = arrived
        self._on_step = on_step

    @property
    def analysed(self) -> dict[str, int]:
        """Frames analysed so far, by camera."""
        return {camera: feed.analysed for camera, feed in self._feeds.items()}

    @property
    def rejected(self) -> dict[str, int]:
        """Frames that could not be analysed so far, by camera."""
        return {camera: feed.rejected for camera, feed in self._feeds.items()}

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve the cameras until ``stop`` is set, calling ``beat`` at least twice a second while frames are quick."""
        while not stop.is_set():
            beat()
            self._arrived.clear()  # before looking: a frame that comes meanwhile sets it again
            if not self._serve_each(stop, beat):
                self._arrived.wait(_WAIT_S)

    def _serve_each(self, stop: threading.Event, beat: Callable[[], None]) -> bool:
        """Give each camera one turn; return whether any had a frame."""
        served = False
        for feed in self._feeds.values():
            if stop.is_set():
                break
            frame = feed.slot.take(0.0)
            if frame is not None:
                served = True
                self._analyse(feed, frame)
                beat()
        return served

    def _analyse(self, feed: _Feed, frame: Frame) -> None:
        try:
            step = feed.pipeline.step(frame)
        except _FRAME_ERRORS as error:
            self._note_rejected(feed, error)
            return
        if feed.rejected_in_a_row:
            log.info("frames_analysed_again", camera=frame.camera, rejected=feed.rejected_in_a_row)
            feed.rejected_in_a_row = 0
        feed.analysed += 1
        self._on_step(step)

    def _note_rejected(self, feed: _Feed, error: Exception) -> None:
        feed.rejected += 1
        feed.rejected_in_a_row += 1
        if feed.rejected_in_a_row == 1:
            log.warning("frame_rejected", camera=feed.pipeline.camera, error=f"{type(error).__name__}: {error}")
