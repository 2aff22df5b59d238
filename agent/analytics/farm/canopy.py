"""How much of the picture is leaves, and how green they are."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.config import FarmConfig
from agent.types import ANY, Findings, Frame, Image, Instant, Measure, Tracks

_NS_PER_S = 1e9
_WIDTH_PX = 320
_DARK = 45.0  # R + G + B below which a pixel's colour is noise
_CLIPPED = 250.0  # a channel from here on may have been brighter
_LEAST_USABLE = 0.3  # of the pixels, neither dark nor white, or the frame says nothing
_GREY = 4.0  # a frame whose channels differ by no more than this has no colour: infra-red at night
_GREY_SHARE = 0.99
_THRESHOLDS = (0.05, 0.10)  # Otsu's threshold is kept within, see DESIGN.md
_EXG_RANGE = (-0.25, 0.75)  # what the histogram for Otsu covers
_LEAST_CANOPY = 0.002  # of the pixels: below it there is nothing to take indices of


@dataclass(frozen=True, slots=True)
class CanopyReading:
    """What one picture says. The indices are None where there is no canopy to take them of."""

    cover: float
    exg: float | None
    vari: float | None
    gli: float | None


def exg(blue: float, green: float, red: float) -> float | None:
    """Return ExG = 2g - r - b on chromatic coordinates, in [-1, 2]; None for black.

    Source: Woebbecke et al., Color indices for weed identification, Trans. ASAE 38(1), 1995, 259-269.
    """
    return _ratio(2 * green - red - blue, red + green + blue)


def vari(blue: float, green: float, red: float) -> float | None:
    """Return VARI = (G - R) / (G + R - B); None where the denominator is not positive.

    Source: Gitelson et al., Novel algorithms for remote estimation of vegetation fraction, RSE 80(1), 2002, 76-87.
    """
    return _ratio(green - red, green + red - blue)


def gli(blue: float, green: float, red: float) -> float | None:
    """Return GLI = (2G - R - B) / (2G + R + B), in [-1, 1]; None for black.

    Source: Louhaichi et al., Spatially located platform and aerial photography for documentation of grazing impacts on
    wheat, Geocarto International 16(1), 2001, 65-70.
    """
    return _ratio(2 * green - red - blue, 2 * green + red + blue)


def _ratio(above: float, below: float) -> float | None:
    return above / below if below > 0 else None


def otsu(values: NDArray[np.float32]) -> float:
    """Return the threshold that splits (N,) values of ExG best in two.

    Source: Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9(1), 1979, 62-66; for ExG:
    Meyer & Neto, Verification of color vegetation indices for automated crop imaging applications, Computers and
    Electronics in Agriculture 63(2), 2008, 282-293.
    """
    low, high = _EXG_RANGE
    levels = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(levels[None], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return low + float(level) / 255 * (high - low)


def read_canopy(image: Image) -> CanopyReading | None:
    """Read one picture, (H, W, 3) BGR of any size.

    ExG is taken of each pixel's chromatic coordinates r = R / (R + G + B) and so on, which the strength of light does
    not change. Pixels above Otsu's threshold, which is kept within bounds, are canopy; ``cover`` is their share of all
    pixels that are not too dark to tell. The indices are those of the mean chromatic coordinates of the canopy, each
    pixel weighing the same, without clipped pixels, whose colour is not known.

    Returns:
        None where the picture cannot tell: too dark, overexposed, or without colour, as infra-red pictures are. That
        is not the same as a cover of 0.
    """
    blue, green, red = (plane.astype(np.float32) for plane in cv2.split(_small(image)))
    total = blue + green + red
    brightest = np.maximum(np.maximum(blue, green), red)
    dullest = np.minimum(np.minimum(blue, green), red)
    lit = total >= _DARK
    usable = lit & (dullest < _CLIPPED)
    if usable.mean() < _LEAST_USABLE or (brightest - dullest <= _GREY).mean() >= _GREY_SHARE:
        return None
    greenness = 3 * green / np.maximum(total, 1) - 1  # ExG = 2g - r - b, since r + g + b = 1
    canopy = lit & (greenness > np.clip(otsu(greenness[usable]), *_THRESHOLDS))
    cover = np.count_nonzero(canopy) / np.count_nonzero(lit)
    known = canopy & (brightest < _CLIPPED)
    if known.mean() < _LEAST_CANOPY:
        return CanopyReading(cover, None, None, None)
    mean = [float((plane[known] / total[known]).mean(dtype=np.float64)) for plane in (blue, green, red)]
    return CanopyReading(cover, exg(*mean), vari(*mean), gli(*mean))


class Canopy:
    """Measures ``canopy_cover``, ``exg``, ``vari`` and ``gli`` of the whole picture, now and then.

    A picture that cannot tell gives no reading at all: readings are counted, so the history shows that nobody could
    see, rather than that there were no leaves.
    """

    def __init__(self, config: FarmConfig) -> None:
        """Start before the first frame; ``canopy_every_s`` is the least time between two frames that are looked at."""
        self._every_ns = round(config.canopy_every_s * _NS_PER_S)
        self._last_at: Instant | None = None

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Read the frame if it is time."""
        if not self._is_due(frame.captured):
            return Findings()
        self._last_at = frame.captured
        reading = read_canopy(frame.image)
        if reading is None:
            return Findings()
        values = {"canopy_cover": reading.cover, "exg": reading.exg, "vari": reading.vari, "gli": reading.gli}
        return Findings(
            measures=tuple(Measure(ANY, ANY, name, value) for name, value in values.items() if value is not None)
        )

    def finish(self, at: Instant) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Say nothing more: each reading stands alone."""
        return Findings()

    def _is_due(self, at: Instant) -> bool:
        last = self._last_at
        if last is None or last.boot != at.boot:
            return True
        passed_ns = at.monotonic_ns - last.monotonic_ns
        return passed_ns < 0 or passed_ns >= self._every_ns


def _small(image: Image) -> Image:
    height, width = image.shape[:2]
    if width <= _WIDTH_PX:
        return image
    size = (_WIDTH_PX, max(1, round(height * _WIDTH_PX / width)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
