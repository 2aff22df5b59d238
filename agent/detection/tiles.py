"""A frame in overlapping tiles, each seen by the detector at its full size: for objects that are small in the picture.

The idea is that of SAHI (Akyon et al., Slicing Aided Hyper Inference, ICIP 2022).
"""

from dataclasses import dataclass

from agent.detection.detector import Detector
from agent.detection.letterbox import check_picture
from agent.detection.model import ModelInfo
from agent.detection.seams import Tile, join_tiles
from agent.planes import Pixels, bgr_of
from agent.types import Detections, Image

_OVERLAP = 0.2  # of a tile: an object smaller than this is whole in some tile
_MOST = 4  # tiles along a side that "auto" takes


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a frame is cut; both numbers are None where its size decides."""

    columns: int | None = None
    rows: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Tiling":
        """Read ``auto`` or ``COLUMNSxROWS``.

        Raises:
            ValueError: It is neither.
        """
        if text == "auto":
            return cls()
        columns, _, rows = text.partition("x")
        if not (columns.isdecimal() and rows.isdecimal() and 1 <= int(columns) <= 8 and 1 <= int(rows) <= 8):
            raise ValueError(f"tiles: found {text!r}; allowed: auto, or columns and rows from 1x1 to 8x8, as 2x2")
        return cls(int(columns), int(rows))

    def cut(self, height: int, width: int, *, input_height: int, input_width: int) -> list[Tile]:
        """Return the tiles of a frame, row by row, about a fifth of each over the next.

        "auto" takes as many as show the frame about as large as it is, at most four along a side.
        """
        columns = self.columns or min(_MOST, max(1, round(width / input_width)))
        rows = self.rows or min(_MOST, max(1, round(height / input_height)))
        across, down = _spans(width, columns), _spans(height, rows)
        return [Tile(left, top, right, bottom) for top, bottom in down for left, right in across]


class TiledDetector:
    """A ``Detector`` that looks at a frame tile by tile. It borrows another detector and never closes it."""

    def __init__(self, detector: Detector, tiling: Tiling) -> None:
        """Take the detector that looks, which other cameras may use in turn."""
        self._detector = detector
        self._tiling = tiling
        self._looks = 0

    @property
    def info(self) -> ModelInfo:
        """What runs."""
        return self._detector.info

    @property
    def looks(self) -> int:
        """How many tiles the last frame had, each of which costs as much as a frame; 0 before the first."""
        return self._looks

    def detect(self, pixels: Pixels) -> Detections:
        """Find objects in a frame; see ``Detector.detect``."""
        height, width = check_picture(pixels)
        tiles = self._tiling.cut(height, width, input_height=self.info.input_height, input_width=self.info.input_width)
        self._looks = len(tiles)
        if len(tiles) == 1:
            return self._detector.detect(pixels)
        image = bgr_of(pixels)
        found = [self._look(image, tile) for tile in tiles]
        return join_tiles(found, tiles, height=height, width=width)

    def close(self) -> None:
        """Do nothing: the detector belongs to whoever opened it."""

    def _look(self, image: Image, tile: Tile) -> Detections:
        found = self._detector.detect(image[tile.top : tile.bottom, tile.left : tile.right])
        found.boxes[:, 0::2] += tile.left
        found.boxes[:, 1::2] += tile.top
        return found


def _spans(length: int, parts: int) -> list[tuple[int, int]]:
    """Divide a length into parts of one size that overlap; fewer where there are not enough pixels."""
    parts = min(parts, length)
    if parts == 1:
        return [(0, length)]
    size = min(length, round(length / (parts - (parts - 1) * _OVERLAP)) + 1)
    begins = [round(index * (length - size) / (parts - 1)) for index in range(parts)]
    return [(begin, begin + size) for begin in begins]
