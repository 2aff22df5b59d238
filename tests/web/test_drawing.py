"""Boxes, labels and notes in a picture."""

import numpy as np
import pytest

from agent.types import Instant
from agent.web.drawing import LONGEST_SIDE_PX, colour_of, draw, placeholder
from tests.web.pages import BOX, CLASSES, GREY, frame, tracks

NOW = Instant(0, 0, 1)


def bgr(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))[::-1]


def image(width: int = 1920, height: int = 1080):
    return frame(at=NOW, width=width, height=height).image


@pytest.mark.parametrize(
    ("width", "height", "shrunk"),
    [
        (1920, 1080, (540, 960)),
        (1080, 1920, (960, 540)),
        (640, 480, (480, 640)),
        (960, 1, (1, 960)),
        (4000, 1, (1, 960)),
    ],
)
def test_size(width, height, shrunk):
    """A picture is made small enough for the page with its aspect kept, and is never enlarged."""
    assert draw(image(width, height), tracks(), CLASSES).shape == (*shrunk, 3)


@pytest.mark.parametrize("width", [LONGEST_SIDE_PX // 2, 1920])
def test_frame_is_not_changed(width):
    """The frame belongs to the analysis: drawing leaves it as it was, whether or not it has to be made smaller."""
    source = image(width)
    draw(source, tracks(BOX), CLASSES, note="last picture, 9 s ago")
    assert np.all(source == GREY)


def test_box_is_where_the_track_is():
    """The box's four sides are drawn in the colour of its class at the track's place, and the inside stays free."""
    picture = draw(image(), tracks(BOX, class_id=1), CLASSES)
    x1, y1, x2, y2 = (round(side / 2) for side in BOX)
    for y, x in ((y1, x1 + 150), (y2, x1 + 150), (y1 + 100, x1), (y1 + 100, x2)):
        assert tuple(picture[y, x]) == bgr(colour_of(1))
    assert np.all(picture[y1 + 5 : y2 - 5, x1 + 5 : x2 - 5] == GREY)


def test_label_stands_by_its_box():
    """A label filled with the colour of the class stands above the box, or below where there is no room above."""
    x1, y1, _, y2 = (round(side / 2) for side in BOX)
    above = draw(image(), tracks(BOX), CLASSES)[y1 - 10 : y1 - 4, x1 : x1 + 40]
    at_the_top = (BOX[0], 0.0, BOX[2], BOX[3])
    below = draw(image(), tracks(at_the_top), CLASSES)[y2 + 4 : y2 + 10, x1 : x1 + 40]
    for label in (above, below):
        assert np.any(np.all(label == bgr(colour_of(0)), axis=2))


def test_same_place_labels_do_not_cover_each_other():
    """Of many tracks in one place each label that is drawn stays whole: some go without instead."""
    one = draw(image(), tracks(BOX, first_id=7), CLASSES)
    many = draw(image(), tracks(*[BOX] * 12, first_id=7), CLASSES)
    x1, y1 = round(BOX[0] / 2), round(BOX[1] / 2)
    first_label = np.s_[y1 - 12 : y1 - 2, x1 + 2 : x1 + 30]
    assert np.array_equal(one[first_label], many[first_label])


@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_tracks(count):
    """No track, one, and as many as a detector gives, also partly outside the picture, are drawn without complaint."""
    random = np.random.default_rng(1)
    corners = random.uniform(-50, 1900, (count, 2))
    boxes = np.hstack([corners, corners + random.uniform(0, 200, (count, 2))])
    assert draw(image(), tracks(*map(tuple, boxes)), CLASSES).shape == (540, 960, 3)


def test_class_without_a_name():
    """A class that the model does not name is drawn with its number."""
    named = draw(image(), tracks(BOX, class_id=5), ("",) * 5 + ("5",))
    assert np.array_equal(draw(image(), tracks(BOX, class_id=5), CLASSES), named)


def test_note_is_visible():
    """A picture with a note is darker all over and carries a band with light letters at its foot."""
    plain, noted = draw(image(), tracks(), CLASSES), draw(image(), tracks(), CLASSES, note="last picture, 9 s ago")
    assert noted[100].max() < plain[100].min()
    assert noted[-30:].min() < 40
    assert noted[-30:].max() > 200


def test_placeholder_has_words():
    """The placeholder is dark with light letters on it."""
    picture = placeholder("No picture yet", "north")
    assert np.median(picture) < 60
    assert picture.max() > 200
