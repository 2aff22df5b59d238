"""From fruit found to fruit that are there, with a band."""

import math
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Tally:
    """Fruit of a segment: how many different ones were found, and for how many they stand."""

    found: int = 0
    stands_for: float = 0.0

    def __add__(self, other: Self) -> "Tally":
        """Return both together."""
        return Tally(self.found + other.found, self.stands_for + other.stands_for)


@dataclass(frozen=True, slots=True)
class Band:
    """A count and what it may well be, ``low <= count <= high``."""

    count: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PassRecord:
    """What a detector is known to find of the fruit that it passes."""

    doubtful: float
    sure: float
    spread: float

    def tally(self, sure_share: float) -> Tally:
        """Return what one found fruit stands for."""
        return Tally(1, max(0.0, self.doubtful + (self.sure - self.doubtful) * sure_share))

    def band(self, tally: Tally) -> Band:
        """Return the count of a tally and its band."""
        half = 1.645 * math.sqrt(self.spread * max(tally.stands_for, 1))
        return Band(tally.stands_for, max(0.0, tally.stands_for - half), tally.stands_for + half)


BUNDLED = PassRecord(-0.5, 1.4, 0.8)
