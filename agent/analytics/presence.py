"""What one analysed frame says: who is there, who came, and for how long that was watched."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.analytics.gaps import Gaps
from agent.types import ANY, ClassCount, Instant, Observation, Tracks

_NS_PER_S = 1e9


class Presence:
    """Turns the tracks of one camera into observations, and keeps account of the time that was really watched."""

    def __init__(self, camera: str, class_names: Sequence[str], *, max_gap_s: float = 2.0) -> None:
        """Start before the first frame.

        Args:
            camera: Name for the observations.
            class_names: By class index.
            max_gap_s: Frames further apart than this leave a gap that nobody watched, unless the camera is always so
                slow (``Gaps``); at least the frame interval.

        Raises:
            ValueError: ``max_gap_s`` is not positive.
        """
        self._camera = camera
        self._class_names = tuple(class_names)
        self._gaps = Gaps(max_gap_s)
        self._last_at: Instant | None = None

    def lose_sight(self) -> None:
        """Leave a gap: what passes until the next frame was not watched."""
        self._last_at = None

    def observe(self, tracks: Tracks, at: Instant, *, paced_s: float = 0.0) -> Observation:
        """Count the tracks of the next frame.

        Args:
            tracks: Confirmed and seen in it.
            at: When it was taken. By monotonic time; the first frame, one after a gap, of another boot or of an earlier
                time stands for no time watched.
            paced_s: How far apart frames are now because the detector has no more time for this camera; 0: it has.

        Returns:
            The row (``ANY``, ``ANY``), and a row of each class that is present, by class index.

        Raises:
            ValueError: A track has a class without a name; nothing is counted.
        """
        present = np.unique(tracks.class_ids)
        if len(present) and not 0 <= present[0] <= present[-1] < len(self._class_names):
            raise ValueError(f"class index: found {present.tolist()}; allowed: 0 to {len(self._class_names) - 1}")
        everything = _count(ANY, tracks, np.ones(len(tracks), np.bool_))
        by_class = (_count(self._class_names[index], tracks, tracks.class_ids == index) for index in present)
        observed_ns, self._last_at = self._observed_ns(at, paced_s), at
        return Observation(self._camera, at, observed_ns, (everything, *by_class))

    def _observed_ns(self, at: Instant, paced_s: float) -> int:
        last = self._last_at
        if last is None or last.boot != at.boot:
            return 0
        passed_ns = at.monotonic_ns - last.monotonic_ns
        if passed_ns < 0 or self._gaps.is_gap(passed_ns / _NS_PER_S, paced_s=paced_s):
            return 0
        return passed_ns


def _count(class_name: str, tracks: Tracks, chosen: NDArray[np.bool_]) -> ClassCount:
    return ClassCount(
        zone=ANY,
        class_name=class_name,
        unique=int(np.count_nonzero(tracks.fresh & chosen)),
        present=int(np.count_nonzero(chosen)),
        score_sum=float(tracks.scores[chosen].sum(dtype=np.float64)),
    )
