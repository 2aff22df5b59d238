"""Points, lines, polygons and planes, by hand."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analytics.geometry import (
    Polygon,
    Segment,
    anchors,
    distance_between,
    extents,
    ground_plane,
    inside_picture,
    on_ground,
    velocity,
)

SQUARE = np.array([(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)])
HUNDRED = (100, 100)


def points(*rows: tuple[float, float]) -> np.ndarray:
    return np.array(rows, np.float64)


def test_anchors_of_a_box():
    """A box from (10, 20) to (30, 60) has its centre at (20, 40) and its foot at (20, 60)."""
    box = np.array([[10.0, 20, 30, 60]])
    assert anchors(box, "centre").tolist() == [[20, 40]]
    assert anchors(box, "bottom").tolist() == [[20, 60]]


def test_extent_of_a_box_along_a_direction():
    """A box of 20 by 40 is 20 wide, 40 high, and 60 / sqrt 2 along the diagonal."""
    box = np.array([[10.0, 20, 30, 60]] * 3)
    directions = points((1, 0), (0, -1), (2**-0.5, -(2**-0.5)))
    assert extents(box, directions) == pytest.approx([20, 40, 60 / 2**0.5])


@pytest.mark.parametrize(
    ("start", "end", "point", "distance"),
    [
        ((0, 50), (100, 50), (20, 80), 30),  # drawn to the right: below is right
        ((0, 50), (100, 50), (20, 10), -40),
        ((50, 0), (50, 100), (20, 50), 30),  # drawn down: the picture's left is right
        ((100, 50), (0, 50), (20, 80), -30),
        ((0, 0), (30, 40), (-40, 30), 50),  # at a right angle, 50 away
    ],
)
def test_right_of_a_line(start, end, point, distance):
    """Right is where the right hand is of one who goes along the line in the picture."""
    assert Segment(np.array(start, float), np.array(end, float)).right_of(points(point))[0] == pytest.approx(distance)


@pytest.mark.parametrize(
    ("before", "after", "crossed"),
    [
        ((40, 60), (60, 40), True),
        ((40, 30), (40, 70), True),
        ((10, 40), (10, 60), False),  # before its first end
        ((80, 40), (80, 60), False),
        ((30, 40), (90, 60), True),  # meets the line at (60, 50)
        ((30, 40), (150, 60), False),  # meets it at (90, 50)
        ((40, 60), (50, 70), False),  # all on one side
    ],
)
def test_way_over_a_piece_of_a_line(before, after, crossed):
    """Only a way that meets the line between its ends crosses it."""
    segment = Segment(np.array([20.0, 50]), np.array([70.0, 50]))
    assert segment.is_crossed(np.array(before, float), np.array(after, float)) is crossed


def test_depth_in_a_square():
    """Depth is the distance to the nearest side, negative outside, and at a corner that to the corner."""
    square = Polygon.in_picture(SQUARE, HUNDRED)
    depths, normals = square.depths(points((50, 30), (30, 50), (50, 20), (21, 22)))
    assert depths == pytest.approx([5, 5, -5, -5])
    assert np.abs(normals[:3]).tolist() == [[0, 1], [1, 0], [0, 1]]


def test_depth_in_a_dented_polygon():
    """The inside of a dent is outside."""
    shape = Polygon.in_picture(points((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.5), (0.1, 0.9)), HUNDRED)
    depths, _ = shape.depths(points((50, 60), (50, 40), (20, 60)))
    assert (depths > 0).tolist() == [False, True, True]
    assert depths[0] == pytest.approx(-(50**0.5))
    assert depths[1] == pytest.approx(10)


def test_sides_on_the_border_are_no_edges():
    """Nothing can leave a zone through the picture's border; a zone that is the whole picture has no edge."""
    half = Polygon.in_picture(points((0.5, 0), (1, 0), (1, 1), (0.5, 1)), HUNDRED)
    assert half.depths(inside_picture(points((99, 50), (60, 100), (40, 100)), HUNDRED))[0].tolist() == [49, 10, -10]
    whole = Polygon.in_picture(points((0, 0), (1, 0), (1, 1), (0, 1)), HUNDRED)
    assert whole.depths(inside_picture(points((50, 50), (0, 100)), HUNDRED))[0].tolist() == [np.inf, np.inf]


def test_thickness_of_a_rectangle():
    """80 by 20 pixels: 1600 by 200."""
    strip = Polygon.in_picture(points((0.1, 0.4), (0.9, 0.4), (0.9, 0.6), (0.1, 0.6)), HUNDRED)
    assert strip.thickness == pytest.approx(8)


@given(st.lists(st.tuples(st.floats(-20, 120), st.floats(-20, 120)), min_size=1, max_size=20))
def test_depth_equals_opencv(places):
    """Depth is what OpenCV's pointPolygonTest measures, one point at a time."""
    corners = points((0.1, 0.2), (0.8, 0.05), (0.6, 0.5), (0.95, 0.9), (0.2, 0.8))
    shape = Polygon.in_picture(corners, HUNDRED)
    contour = (corners * 100).astype(np.float32)
    expected = [cv2.pointPolygonTest(contour, place, True) for place in places]
    assert shape.depths(points(*places))[0] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("ends", "distance"),
    [
        (((0, 0), (10, 10), (0, 10), (10, 0)), 0),  # cross
        (((0, 0), (10, 0), (0, 5), (10, 5)), 5),
        (((0, 0), (10, 0), (13, 4), (20, 4)), 5),
        (((0, 0), (10, 0), (5, 3), (5, 3)), 3),  # a point
        (((1, 1), (1, 1), (4, 5), (4, 5)), 5),  # two points
        (((0, 0), (10, 0), (4, 0), (6, 0)), 0),  # one in the other
    ],
)
def test_distance_between_ways(ends, distance):
    """The least distance of two straight ways."""
    assert distance_between(*(np.array(end, float) for end in ends)) == pytest.approx(distance)


def test_ground_seen_from_above_and_in_perspective():
    """Corners become the rectangle; the middle stays it seen straight from above, and moves in perspective."""
    above = ground_plane(SQUARE, (4, 2))
    assert on_ground(SQUARE, above) == pytest.approx(points((0, 0), (4, 0), (4, 2), (0, 2)))
    assert on_ground(points((0.5, 0.5)), above) == pytest.approx(points((2, 1)))
    # A road of 6 by 30 m, far end half as wide as the near one: the diagonals meet at 2/3 of the height, and their
    # meeting is the middle of the rectangle whatever the perspective.
    road = points((0.4, 0.4), (0.6, 0.4), (0.7, 0.7), (0.3, 0.7))
    assert on_ground(points((0.5, 0.5)), ground_plane(road, (6, 30))) == pytest.approx(points((3, 15)), abs=1e-4)


def test_velocity_by_hand():
    """Positions 0, 3, 3 and 6 at 0 to 3 seconds: the slope is (-1.5*0 - 0.5*3 + 0.5*3 + 1.5*6) / 5 = 1.8."""
    way = points((0, 10), (3, 10), (3, 10), (6, 10))
    assert velocity(np.arange(4.0), way) == pytest.approx([1.8, 0])
