"""Where a camera's thread leaves its newest frame."""

import threading
from dataclasses import replace

from agent.types import Frame


class FrameSlot:
    """Holds one frame, the newest. Safe to share between threads.

    When a frame comes while another waits, the older one is dropped and counted: analysis always sees what is, never
    what was.
    """

    def __init__(self, arrived: threading.Event | None = None) -> None:
        """Start empty. ``arrived`` is set at each frame, so that one thread can wait for several slots at once."""
        self._filled = threading.Condition()
        self._arrived = arrived
        self._frame: Frame | None = None
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many frames were replaced before anybody took them."""
        with self._filled:
            return self._dropped

    def put(self, frame: Frame) -> None:
        """Leave a frame, never waiting. A still one that replaces one that was not is not still to its taker."""
        with self._filled:
            if frame.still and self._frame is not None and not self._frame.still:
                frame = replace(frame, still=False)
            self._dropped += self._frame is not None
            self._frame = frame
            self._filled.notify()
        if self._arrived is not None:
            self._arrived.set()

    def take(self, timeout_s: float) -> Frame | None:
        """Take the newest frame, waiting for one at most so long; None if none came."""
        with self._filled:
            self._filled.wait_for(lambda: self._frame is not None, timeout_s)
            frame, self._frame = self._frame, None
            return frame
