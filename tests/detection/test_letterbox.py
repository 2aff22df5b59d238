"""How a frame lies in the model's input."""

import numpy as np
import pytest

from agent.detection.letterbox import Letterbox, Placement


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((720, 1280), (360, 640, 140, 0)),
        ((1280, 720), (640, 360, 0, 140)),
        ((640, 640), (640, 640, 0, 0)),
        ((320, 320), (640, 640, 0, 0)),  # small frames are enlarged
        ((479, 640), (479, 640, 80, 0)),  # an odd pixel of border goes below
        ((1, 3000), (1, 640, 319, 0)),  # no side vanishes
    ],
)
def test_placement_follows_ultralytics(source, expected):
    """Height, width, top and left are those of ultralytics' LetterBox in a square of 640."""
    placed = Placement.fit(source, (640, 640))
    assert (placed.height, placed.width, placed.top, placed.left) == expected


def test_boxes_come_back_where_they_were():
    """The corners of the placed frame map to the corners of the frame, whatever rounding did to its sides."""
    for source in ((720, 1280), (1081, 1919), (33, 517), (1, 3000)):
        placed = Placement.fit(source, (640, 640))
        box = [placed.left, placed.top, placed.left + placed.width, placed.top + placed.height]
        corners = placed.to_source(np.array([box], np.float32))
        assert corners.dtype == np.float32
        assert np.allclose(corners, [[0, 0, source[1], source[0]]], rtol=1e-6)


def test_boxes_in_the_border_are_clipped_to_the_frame():
    """What reaches into the grey border ends at the frame."""
    placed = Placement.fit((360, 640), (640, 640))
    boxes = placed.to_source(np.array([[-5, 100, 700, 600], [10, 0, 20, 139]], np.float32))
    assert boxes.tolist() == [[0, 0, 640, 360], [10, 0, 20, 0]]


def test_the_frame_is_drawn_and_the_rest_is_grey():
    """Frame pixels lie inside the placement and 114 around it, also right after a frame of another shape."""
    letterbox = Letterbox(64, 96)
    letterbox.fill(np.full((200, 40, 3), 255, np.uint8))
    placed = letterbox.fill(np.full((40, 200, 3), 7, np.uint8))
    canvas = letterbox.canvas[0]
    inside = np.zeros((64, 96), bool)
    inside[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width] = True
    assert (canvas[inside] == 7).all()
    assert (canvas[~inside] == 114).all()


def test_the_canvas_stays_where_it_is():
    """The runtime looks at the same memory for ever, at frames of any size."""
    letterbox = Letterbox(64, 96)
    address = letterbox.canvas.ctypes.data
    for size in ((64, 96), (10, 10), (300, 20), (20, 300)):
        letterbox.fill(np.full((*size, 3), 9, np.uint8))
        assert letterbox.canvas.ctypes.data == address
        assert 9 in letterbox.canvas
