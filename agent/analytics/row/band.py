"""From the fruit that were found to the fruit that are there, with a band."""

import math
from dataclasses import dataclass

_TWO_SIDED_90 = 1.645  # standard deviations of a normal distribution


@dataclass(frozen=True, slots=True)
class Band:
    """An estimate, ``count``, and what the truth may well be, ``0 <= low <= count <= high``.

    Counts of different pieces add up, and so do their ``variance``s: the band of a sum is its count, more or less 1.645
    times the root of its variance.
    """

    count: float
    variance: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PassRecord:
    """What is known of a detector and tracker that pass fruit: learnt on rows whose fruit are known.

    Of F fruit that come into the picture, on average ``found_share`` F are found, false ones among them. What is
    missed is missed in every frame, small and shaded fruit above all, so that no recapture within a pass can tell how
    much there is of it: it has to be known of the detector. From row to row the estimate strays by
    ``sqrt(spread F)``: 1 would be chance alone, were as many fruit Poisson distributed. All of it holds for a row count
    that takes detections from a score of ``confidence`` on for sure ones.
    """

    found_share: float = 1.0
    spread: float = 0.1
    confidence: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not self.found_share > 0 or not self.spread >= 0 or not 0 < self.confidence < 1:
            raise ValueError(
                f"found {self.found_share}, {self.spread} and {self.confidence}; allowed: found_share above 0, "
                "spread 0 or more, confidence between 0 and 1"
            )

    def band(self, found: int) -> Band:
        """Return how many fruit there are where so many were found, and a band that holds the truth nine times of ten.

        The ratio estimator ``found / found_share`` (Cochran, Sampling Techniques, 1977, chapter 6), with the normal
        interval of a variance that grows with the count (quasi-Poisson: McCullagh and Nelder, Generalized Linear
        Models, 1989, chapter 6.2). Where nothing was found, the upper end is that of one fruit.
        """
        count = found / self.found_share
        half = _TWO_SIDED_90 * math.sqrt(self.spread * max(count, 1.0))
        return Band(count, self.spread * count, max(0.0, count - half), count + half)


BUNDLED = PassRecord(found_share=0.868, spread=0.91, confidence=0.15)
"""Of the bundled model, measured by ``benchmarks/row_record.py``; see DESIGN.md."""
