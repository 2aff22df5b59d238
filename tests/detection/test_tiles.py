"""Tiles: objects found once and whole, wherever the borders run."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.detection import ModelInfo, TiledDetector, Tiling, open_detector
from agent.detection.seams import Tile, join_tiles
from agent.types import Detections
from tests.pipeline.scripted import INFO

HEIGHT, WIDTH = 480, 640


class Seer:
    """A perfect detector: finds rectangles of one colour each, as far as they are in the picture that it is shown."""

    info: ModelInfo = INFO

    def __init__(self) -> None:
        self.shown: list[tuple[int, int]] = []

    def detect(self, image):
        self.shown.append(image.shape[:2])
        boxes, class_ids = [], []
        for colour in np.unique(image[:, :, 0]):
            if colour == 0:
                continue
            ys, xs = np.nonzero(image[:, :, 0] == colour)
            boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            class_ids.append(colour % 2)
        n = len(boxes)
        return Detections(
            np.float32(boxes).reshape(n, 4), np.linspace(0.9, 0.5, n, dtype=np.float32), np.int64(class_ids)
        )

    def close(self):
        pass


def picture(*boxes, height=HEIGHT, width=WIDTH) -> np.ndarray:
    """Draw rectangles, the first of class 1, the second of class 0, and so on."""
    image = np.zeros((height, width, 3), np.uint8)
    for colour, (x1, y1, x2, y2) in enumerate(boxes, 1):
        image[y1:y2, x1:x2] = colour
    return image


def found_in(image, columns=2, rows=2) -> list[list[float]]:
    found = TiledDetector(Seer(), Tiling(columns, rows)).detect(image)
    assert (found.boxes.dtype, found.scores.dtype) == (np.float32, np.float32)
    assert (np.diff(found.scores) <= 0).all()
    return sorted(found.boxes.tolist())


@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 40, 40),  # within one tile
        (300, 10, 340, 50),  # whole in two
        (310, 230, 330, 250),  # whole in all four
        (270, 20, 300, 50),  # whole in one, cut in its neighbour
        (200, 100, 440, 160),  # wider than the overlap: cut by both
        (100, 100, 540, 380),  # cut by all four
        (0, 200, 640, 280),  # across the whole picture
        (310, 0, 330, 480),
        (0, 0, 640, 480),
    ],
)
def test_an_object_is_found_once_and_whole(box):
    """Wherever an object lies over the seams, one box comes out, and it is the object's."""
    assert found_in(picture(box)) == [list(map(float, box))]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, WIDTH - 10),
    st.integers(0, HEIGHT - 10),
    st.integers(8, 500),
    st.integers(8, 400),
    st.sampled_from([(2, 2), (3, 2), (1, 3), (4, 4)]),
)
def test_any_object_is_found_once_and_whole(x, y, width, height, tiling):
    """At any place, of any size and under any tiling, an object gives its own box and nothing else."""
    box = (x, y, min(WIDTH, x + width), min(HEIGHT, y + height))
    assert found_in(picture(box), *tiling) == [list(map(float, box))]


def test_neighbours_are_not_joined():
    """Two objects on both sides of a seam, of one class or of two, stay two."""
    left, right = (200, 100, 318, 160), (322, 100, 440, 160)
    assert found_in(picture(left, right)) == sorted([list(map(float, left)), list(map(float, right))])
    between = (0, 470, 1, 471)  # takes the other class
    assert len(found_in(picture(left, between, right))) == 3


def test_rows_of_small_objects_keep_their_number():
    """A hundred objects, many of them on the seams, come out as a hundred."""
    boxes = [(x, y, x + 24, y + 24) for x, y in itertools.product(range(8, 610, 60), range(8, 450, 46))]
    assert found_in(picture(*boxes)) == sorted(list(map(float, box)) for box in boxes)


def test_classes_are_kept_apart():
    """Boxes of two classes at one place, seen by two tiles, stay two."""
    box = np.float32([[300, 100, 340, 140]])
    tiles = [Tile(0, 0, 356, 480), Tile(284, 0, 640, 480)]
    seen = [Detections(box, np.float32([score]), np.int64([class_id])) for class_id, score in ((0, 0.9), (1, 0.8))]
    assert len(join_tiles(seen, tiles, height=480, width=640)) == 2
    same = [seen[0], Detections(box, np.float32([0.95]), np.int64([0]))]
    assert join_tiles(same, tiles, height=480, width=640).scores.tolist() == [pytest.approx(0.95)]


def test_nothing_found_is_nothing():
    """Empty tiles give an empty result of the agreed types."""
    found = TiledDetector(Seer(), Tiling(2, 2)).detect(picture())
    assert (found.boxes.shape, found.boxes.dtype) == ((0, 4), np.float32)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 900), (480, 640), (1081, 1919)])
@pytest.mark.parametrize("tiling", [(1, 1), (2, 2), (8, 8), (3, 1)])
def test_tiles_cover_every_pixel(size, tiling):
    """Whatever the size, each pixel is in a tile, tiles lie in the frame and are not empty."""
    covered = np.zeros(size, bool)
    for tile in Tiling(*tiling).cut(*size, input_height=64, input_width=64):
        assert 0 <= tile.left < tile.right <= size[1]
        assert 0 <= tile.top < tile.bottom <= size[0]
        covered[tile.top : tile.bottom, tile.left : tile.right] = True
    assert covered.all()


def test_auto_goes_by_the_size():
    """Frames near the input's size are looked at whole, larger ones in tiles that keep their scale, to a limit."""
    info = open_detector(None, backend="openvino").info
    counts = {
        size: len(Tiling.parse("auto").cut(*size, input_height=640, input_width=640))
        for size in ((480, 640), (720, 1280), (1080, 1920), (9000, 9000))
    }
    assert list(counts.values()) == [1, 2, 6, 16]
    seer = Seer()
    seer.info = info
    tiled = TiledDetector(seer, Tiling())
    tiled.detect(np.zeros((480, 640, 3), np.uint8))
    assert (tiled.looks, seer.shown) == (1, [(480, 640)])
    tiled.detect(np.zeros((720, 1280, 3), np.uint8))
    assert (tiled.looks, len(seer.shown)) == (2, 3)


@pytest.mark.parametrize("text", ["", "2", "0x2", "2x9", "axb", "2x2x2", "-1x2", "AUTO"])
def test_other_words_are_refused(text):
    """What is no tiling is refused with what is allowed."""
    with pytest.raises(ValueError, match="allowed: auto, or columns and rows"):
        Tiling.parse(text)


def test_small_fruit_of_a_large_picture_is_found(shared_data):
    """In four real photographs side by side the tiles find more of the fruit than one look does, each once."""
    paths = sorted((shared_data / "orchard" / "images" / "val").glob("apple*"))[:40:10]
    photos = [cv2.imread(str(path)) for path in paths]
    sheet = np.vstack([np.hstack(photos[:2]), np.hstack(photos[2:])])
    detector = open_detector(None, min_score=0.25)
    alone = sum(len(detector.detect(photo)) for photo in photos)
    whole, tiled = len(detector.detect(sheet)), len(TiledDetector(detector, Tiling(2, 2)).detect(sheet))
    assert alone > 10
    assert abs(tiled - alone) <= 0.25 * alone
    assert abs(tiled - alone) < abs(whole - alone)
