"""Where a camera's thread leaves its newest frame."""

import threading
from dataclasses import replace

from agent.clock import Clock
from agent.types import Frame


class FrameSlot:
    """Holds one frame, the newest. Safe to share between threads.

    When a frame comes while another waits, the older one is dropped and counted: analysis always sees what is, never
    what was.
    """

    def __init__(
        self, arrived: threading.Event | None = None, *, clock: Clock | None = None, max_age_s: float = 5.0
    ) -> None:
        """Start empty.

        Args:
            arrived: Is set at each frame, so that one thread can wait for several slots at once.
            clock: Tells how old a frame is when it is taken; None: frames never grow old.
            max_age_s: An older frame is counted, and not handed out.
        """
        self._filled = threading.Condition()
        self._arrived, self._clock, self._max_age_ns = arrived, clock, round(max_age_s * 1e9)
        self._frame: Frame | None = None
        self._dropped = self._late = 0
        self._change_missed = False  # a picture that was not still was never handed out

    @property
    def late(self) -> int:
        """How many frames were too old when somebody came for them."""
        with self._filled:
            return self._late

    @property
    def dropped(self) -> int:
        """How many frames were replaced before anybody took them."""
        with self._filled:
            return self._dropped

    @property
    def filled(self) -> bool:
        """Whether a frame waits."""
        with self._filled:
            return self._frame is not None

    def put(self, frame: Frame) -> None:
        """Leave a frame, never waiting. A still one that replaces one that was not is not still to its taker."""
        with self._filled:
            replaces_change = self._frame is not None and not self._frame.still
            if frame.still and (replaces_change or self._change_missed):
                frame = replace(frame, still=False)
            self._dropped += self._frame is not None
            self._frame = frame
            self._filled.notify()
        if self._arrived is not None:
            self._arrived.set()

    def take(self, timeout_s: float) -> Frame | None:
        """Take the newest frame, waiting for one at most so long; None if none came, or what came is too old."""
        with self._filled:
            self._filled.wait_for(lambda: self._frame is not None, timeout_s)
            frame, self._frame = self._frame, None
            if frame is None or self._clock is None:
                return frame
            age_ns = self._clock.now().monotonic_ns - frame.captured.monotonic_ns
            too_old = age_ns > self._max_age_ns
            self._late += too_old
            self._change_missed = too_old and not frame.still
            return None if too_old else frame
