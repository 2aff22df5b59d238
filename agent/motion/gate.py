"""The gate between capture and detection of one camera."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from agent.motion.noise import BlockNoise, Blocks, change_between
from agent.types import Boxes, Small

_LEAST_BLOCKS = 2  # an object leaves one place and enters another; a hot pixel has one
_LINGER_S = 1.0
_BUSY_NS = 10_000_000_000
_TELL_NS = 3_000_000_000  # so long a tracker has to say that a change was an object
_BESIDE = 2  # blocks around a box that are its own: it moves on before the next picture
_MOST_PENDING = 400
_LONGEST_STEP_S = 5.0  # a longer pause of a camera teaches no more than this
_NOTES = 32


class MotionGate:
    """Says of each picture whether the detector must look at it, or whether what it last saw still holds.

    A picture is compared with the last one that was looked at, not with the one before it: what creeps is seen once it
    has crept far enough. ``look`` belongs to one thread, ``note_moving`` may be called from another.
    """

    def __init__(self, *, fps: float, look_every_s: float) -> None:
        """Start open.

        Args:
            fps: Pictures a second that will come.
            look_every_s: The detector looks at least so often, whatever happens.
        """
        self._burst = 2 + int(np.ceil(0.1 * fps))  # a tracker confirms what it sees in this many pictures running
        self._linger = max(self._burst, round(_LINGER_S * fps))
        self._look_every_ns = round(look_every_s * 1e9)
        self._notes: deque[Boxes] = deque(maxlen=_NOTES)
        self.reset()

    def reset(self) -> None:
        """Forget the picture and its noise: another stream begins."""
        self._seen: Small | None = None
        self._noise: BlockNoise | None = None
        self._busy_until_ns: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        self._pending: deque[tuple[int, float, Blocks]] = deque()  # changes of which nobody knows yet what they were
        self._open_for = 0
        self._looked_ns = self._last_ns = 0

    def look(self, small: Small, at_ns: int) -> bool:
        """Take the next picture; return whether it is to be looked at.

        Args:
            small: (h, w) uint8 luma of it, not written to any more.
            at_ns: Monotonic time of it.
        """
        happens = self._happens(small, at_ns)
        if happens:
            self._open_for = self._linger
        elif at_ns - self._looked_ns >= self._look_every_ns:
            self._open_for = max(self._open_for, self._burst)
        self._last_ns = at_ns
        if not self._open_for:
            return False
        self._open_for -= 1
        self._seen, self._looked_ns = small, at_ns
        return True

    def note_moving(self, boxes: Boxes) -> None:
        """Take note of where objects move: what changes there is no noise, and must never be learned as such.

        Args:
            boxes: (N, 4) xyxy as shares of the picture.
        """
        if len(boxes):
            self._notes.append(boxes)

    def _happens(self, small: Small, at_ns: int) -> bool:
        if self._seen is None or self._seen.shape != small.shape:
            self._noise = None
            self._pending.clear()
            return True
        change = change_between(self._seen, small)
        if change is None:
            return True
        if self._noise is None:
            self._noise = BlockNoise((change.shape[0], change.shape[1]))
            self._busy_until_ns = np.zeros(change.shape, np.int64)
        happens = int(np.count_nonzero(change > self._noise.threshold())) >= _LEAST_BLOCKS
        passed_s = min(_LONGEST_STEP_S, max(0.0, (at_ns - self._last_ns) / 1e9))
        self._pending.append((at_ns, passed_s, change))
        self._learn(at_ns)
        return happens

    def _learn(self, now_ns: int) -> None:
        """Learn the changes that nobody has claimed for an object in time."""
        assert self._noise is not None
        self._mark_busy(now_ns)
        while self._pending and (now_ns - self._pending[0][0] >= _TELL_NS or len(self._pending) > _MOST_PENDING):
            at_ns, passed_s, change = self._pending.popleft()
            self._noise.learn(change, passed_s, busy=self._busy_until_ns > at_ns)

    def _mark_busy(self, now_ns: int) -> None:
        """Mark the blocks in or beside which an object was said to move."""
        rows, columns = self._busy_until_ns.shape
        while self._notes:
            for left, top, right, bottom in self._notes.popleft() * np.array([columns, rows, columns, rows]):
                across = slice(max(0, int(left) - _BESIDE), max(0, int(right) + 1 + _BESIDE))
                down = slice(max(0, int(top) - _BESIDE), max(0, int(bottom) + 1 + _BESIDE))
                self._busy_until_ns[down, across] = now_ns + _BUSY_NS
