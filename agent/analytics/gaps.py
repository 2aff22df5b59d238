"""What lies between two frames of a camera: time that was watched, or a gap."""

from collections import deque

_STEPS = 5  # between frames, that tell how far apart they usually are
_LONGEST = 3  # usual steps: so many frames may be missing without a gap


class Gaps:
    """Tells gaps from a camera's usual pace, which it learns.

    A camera may be slower than its configuration says, its key frames further apart, or the detector short of time:
    then long steps are the rule, and each stands for time that was watched, in samples. A long step among short ones
    is a gap. The usual step is what all but one of the last five reached, so a camera that pauses between bursts is
    watched in its bursts only: where it is not clear, less is said to be watched, not more.
    """

    def __init__(self, max_gap_s: float) -> None:
        """Start without a pace.

        Args:
            max_gap_s: A step up to this is never a gap.

        Raises:
            ValueError: ``max_gap_s`` is not positive.
        """
        if not max_gap_s > 0:
            raise ValueError(f"max_gap_s: found {max_gap_s}; allowed: more than 0")
        self._max_gap_s = max_gap_s
        self._steps: deque[float] = deque(maxlen=_STEPS)

    def is_gap(self, passed_s: float, *, paced_s: float = 0.0) -> bool:
        """Tell whether the step from the frame before to this one was a gap, and learn from it.

        Args:
            passed_s: How long it was.
            paced_s: How long it had to be, because the camera has to wait for its turn; 0 where it has not.
        """
        usual_s = sorted(self._steps)[1] if len(self._steps) == _STEPS else 0.0
        self._steps.append(passed_s)
        return passed_s > max(self._max_gap_s, _LONGEST * max(usual_s, paced_s))
