"""Being on one side of an edge, without flicker."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.analytics.geometry import Floats

BAND = 0.2
"""An object is clearly on one side when its anchor is further from the edge than this part of its own extent across it.

A detector's box moves by about 5% of its sides from frame to frame: its centre by 3.5%, its lower side by 5%. So what
stands on an edge is taken for clearly beside it by an error of 4 standard deviations or more, once in 30,000 frames.
"""

_HOLD_S = 0.1  # a detector's slip lasts one frame; a slow camera's object must be seen twice in any case


def clear_sides(distances: Floats, bands: Floats) -> NDArray[np.int64]:
    """Return 1 and -1 where a signed distance (N,) is clear of the band (N,) around 0, and 0 within it."""
    return np.where(np.abs(distances) > bands, np.sign(distances), 0).astype(np.int64)


@dataclass(slots=True)
class Latch:
    """On which side of an edge one object is: 1, -1, or 0 as long as it was never clear.

    The first clear sighting decides. After that the side changes when the object is seen clearly on the other one in
    each sighting of at least ``hold_s``, two at least: one odd box changes nothing.
    """

    side: int = 0
    _other_since_s: float | None = None
    hold_s: float = _HOLD_S

    @property
    def changing(self) -> bool:
        """Tell whether the last sighting was clearly on the other side."""
        return self._other_since_s is not None

    def see(self, clear: int, now_s: float) -> bool:
        """Take in one sighting, and tell whether the side is another than before."""
        if clear in (0, self.side):
            self._other_since_s = None
            return False
        if self.side and self._other_since_s is None:
            self._other_since_s = now_s
            return False
        if self._other_since_s is not None and now_s - self._other_since_s < self.hold_s:
            return False
        self.side, self._other_since_s = clear, None
        return True
