"""How large each fruit is, by its box."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.analytics.farm.sightings import Sightings, inside
from agent.config import FarmConfig
from agent.types import ANY, Boxes, Findings, Frame, Instant, Measure, Tracks

_MM_PER_M = 1000
_FULLEST = 0.75  # of the views of a fruit, the quantile that is taken for its size


def diameters(boxes: Boxes) -> NDArray[np.float64]:
    """Return (N,) the geometric mean of each box's sides, pixels.

    It is the diameter of a ball, and of an ellipse along the picture's axes that of the circle of the same area, since
    pi/4 w h = pi/4 d^2.
    """
    edges = boxes.astype(np.float64)
    return np.asarray(np.sqrt((edges[:, 2] - edges[:, 0]) * (edges[:, 3] - edges[:, 1])), np.float64)


class FruitSize:
    """Measures each fruit once: ``size_px``, and ``size_mm`` where the scale is known.

    Leaves and the picture's border make boxes smaller, hardly ever larger, so the fuller views of a fruit count, not
    the single largest, where the detector erred most: the upper quartile of its views clear of the border.
    """

    def __init__(self, config: FarmConfig, class_names: Sequence[str]) -> None:
        """Take the scale; ``class_names`` are the model's, by class index."""
        self._class_names = tuple(class_names)
        self._mm_per_px = None if config.metres_per_pixel is None else config.metres_per_pixel * _MM_PER_M
        self._sightings = Sightings()

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Measure the fruit in full view, and tell those that are done."""
        height, width = frame.size
        wanted = self._sightings.look(tracks.track_ids, tracks.class_ids, frame.captured)
        sizes = diameters(tracks.boxes)
        for index in np.flatnonzero(wanted & inside(tracks.boxes, width=width, height=height)).tolist():
            self._sightings.add(int(tracks.track_ids[index]), float(sizes[index]))
        done = [(self._class_names[fruit.class_id], _fullest(fruit.views)) for fruit in self._sightings.take()]
        return Findings(measures=tuple(measure for size in done for measure in self._measures(*size)))

    def finish(self, at: Instant) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Say nothing more: a fruit not seen enough is not measured."""
        return Findings()

    def _measures(self, class_name: str, size_px: float) -> tuple[Measure, ...]:
        in_pixels = Measure(ANY, class_name, "size_px", size_px)
        if self._mm_per_px is None:
            return (in_pixels,)
        return in_pixels, Measure(ANY, class_name, "size_mm", size_px * self._mm_per_px)


def _fullest(views: Sequence[float]) -> float:
    return float(np.quantile(views, _FULLEST, method="lower"))
