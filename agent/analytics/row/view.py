"""Where the picture is along the row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class View:
    """The picture's place along the row: its upper left corner and its size, pixels."""

    left: float
    top: float
    width: int
    height: int

    @property
    def right(self) -> float:
        """Where the picture ends."""
        return self.left + self.width

    @property
    def corner(self) -> NDArray[np.float64]:
        """What to take from a box along the row to get its pixels in the picture, (4,)."""
        return np.array([self.left, self.top, self.left, self.top])

    def distance(self, start: float, end: float) -> float:
        """Return how far out of the picture a stretch of the row lies, pixels; negative while a part is in it."""
        return max(start - self.right, self.left - end)
