"""How ripe each fruit is, by its colour between two references."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.analytics.chosen import hinted
from agent.analytics.farm.colour import DARKEST_LIGHTNESS, chroma, lab
from agent.analytics.farm.sightings import Sightings, inside
from agent.config import FarmConfig, RipenessConfig
from agent.errors import ConfigError
from agent.types import ANY, Boxes, Findings, Frame, Image, Instant, Measure, Tracks

_SIDE_PX = 32  # each fruit is looked at in this size
_ELLIPSE = 0.8  # of the inscribed ellipse: its rim is mixed with what is behind it
_CLIPPED = 250  # a channel from here on may have been brighter: its colour is not known
_LEAST_SKIN = 0.3  # of the ellipse, or the fruit is too hidden or too badly lit to be read
_NEUTRAL = 0.1  # chroma below which a pixel is a highlight, sky or bark
_GREENER = 0.1  # a pixel so much greener than the unripe reference is a leaf
_LEAST_DISTANCE = 0.05  # between the references; below it, noise decides
_BINS = 5


class Scale:
    """The line in the chroma plane from the unripe to the ripe reference of one class."""

    def __init__(self, config: RipenessConfig) -> None:
        """Place the references.

        Raises:
            ConfigError: They differ in lightness alone, or hardly at all.
        """
        ends = chroma(np.array([config.unripe_lab, config.ripe_lab], np.float64))
        self._unripe, self._step = ends[0], ends[1] - ends[0]
        self._squared = float(self._step @ self._step)
        self._neutral = min(_NEUTRAL, float(np.hypot(ends[:, 0], ends[:, 1]).min()) / 2)
        self._greenest = float(ends[:, 0].min()) - _GREENER
        if self._squared < _LEAST_DISTANCE**2:
            raise ConfigError(
                f"farm.ripeness of {config.class_name!r}: ripe_lab {config.ripe_lab} and unripe_lab "
                f"{config.unripe_lab} have nearly the same colour; allowed: colours that differ in more than lightness"
            )

    def position(self, colours: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where colours lie from unripe (0) to ripe (1): (...) from (..., 2) chroma, clipped to [0, 1].

        Source: orthogonal projection, t = (c - u).(r - u) / |r - u|^2.
        """
        return np.asarray(np.clip((colours - self._unripe) @ self._step / self._squared, 0, 1), np.float64)

    def is_skin(self, colours: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tell which of (..., 2) chroma may be the fruit's: neither neutral nor greener than it ever is."""
        strength = np.hypot(colours[..., 0], colours[..., 1])
        return np.asarray((strength >= self._neutral) & (colours[..., 0] >= self._greenest), np.bool_)


def read_ripeness(image: Image, box: NDArray[np.float32], scale: Scale) -> float | None:
    """Read one fruit: the mean over the middle half of the positions of its skin's pixels, in [0, 1].

    The middle half (interquartile mean) follows the share of ripe skin of a two-coloured fruit, which a median would
    jump over, and still bears a quarter of wrong pixels on either side.

    Args:
        image: (H, W, 3) BGR.
        box: (4,) xyxy, inside the picture.
        scale: Of the fruit's class.

    Returns:
        None where too little skin is to be seen: hidden by leaves, overexposed or in the dark.

    Source: interquartile mean as a 25% trimmed mean, Tukey & McLaughlin 1963.
    """
    x0, y0, x1, y1 = (int(edge) for edge in box)
    patch = cv2.resize(image[y0:y1, x0:x1], (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    pixels = np.asarray(patch[_ellipse()][None], np.uint8)
    colours = lab(pixels)[0]
    plane = chroma(colours)
    skin = scale.is_skin(plane) & (colours[:, 0] >= DARKEST_LIGHTNESS) & (pixels[0].max(axis=1) < _CLIPPED)
    if np.count_nonzero(skin) < _LEAST_SKIN * len(skin):
        return None
    positions = np.sort(scale.position(plane[skin]))
    quarter = len(positions) // 4
    return float(positions[quarter : len(positions) - quarter].mean())


class Ripeness:
    """Measures each fruit once: ``ripeness`` in [0, 1], and a reading of 1 in one of ``ripeness_0_20`` to ``_80_100``.

    A fruit is read in several frames while it is in view, and the median counts: it is told when it has been seen
    enough, or has left. Fruit of classes without references are not looked at.
    """

    def __init__(self, config: FarmConfig, camera: str, class_names: Sequence[str]) -> None:
        """Take the references.

        Args:
            config: Of the camera.
            camera: For messages.
            class_names: Of the model, by class index.

        Raises:
            ConfigError: A class is not known to the model or given twice, or its references have the same colour.
        """
        self._class_names = tuple(class_names)
        self._scales: dict[int, Scale] = {}
        for number, reference in enumerate(config.ripeness):
            where = f"camera {camera}: farm.ripeness.{number}.class: found"
            if reference.class_name not in self._class_names:
                found = hinted(reference.class_name, self._class_names)
                raise ConfigError(f"{where} {found}; allowed: {', '.join(self._class_names)}")
            index = self._class_names.index(reference.class_name)
            if index in self._scales:
                raise ConfigError(f"{where} {reference.class_name!r} again; allowed: each class once")
            self._scales[index] = Scale(reference)
        self._sightings = Sightings()

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Read the fruit that show well, and tell those that are done."""
        chosen = np.flatnonzero(np.isin(tracks.class_ids, list(self._scales)))
        ids, classes, boxes = tracks.track_ids[chosen], tracks.class_ids[chosen], tracks.boxes[chosen]
        wanted = self._sightings.look(ids, classes, frame.captured)
        self._read(frame.image, boxes, wanted, ids.tolist(), classes.tolist())
        seen = self._sightings.take()
        readings = [(self._class_names[fruit.class_id], float(np.median(fruit.views))) for fruit in seen]
        return Findings(measures=tuple(measure for reading in readings for measure in _measures(*reading)))

    def finish(self, at: Instant) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Say nothing more: a fruit not seen enough is not measured."""
        return Findings()

    def _read(self, image: Image, boxes: Boxes, wanted: NDArray[np.bool_], ids: list[int], classes: list[int]) -> None:
        height, width = image.shape[:2]
        for index in np.flatnonzero(wanted & inside(boxes, width=width, height=height)).tolist():
            reading = read_ripeness(image, boxes[index], self._scales[classes[index]])
            if reading is not None:
                self._sightings.add(ids[index], reading)


def _measures(class_name: str, ripeness: float) -> tuple[Measure, Measure]:
    low = min(int(ripeness * _BINS), _BINS - 1) * 100 // _BINS
    share = f"ripeness_{low}_{low + 100 // _BINS}"
    return Measure(ANY, class_name, "ripeness", ripeness), Measure(ANY, class_name, share, 1.0)


def _ellipse() -> NDArray[np.bool_]:
    """Return the pixels of a patch that are fruit, were nothing in front of it: (S, S)."""
    axis = (np.arange(_SIDE_PX) + 0.5) / (_SIDE_PX / 2) - 1
    return np.asarray(np.hypot(axis[:, None], axis[None, :]) <= _ELLIPSE, np.bool_)
