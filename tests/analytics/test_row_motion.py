"""How far the camera moved, on drawn pictures whose shift is known."""

import cv2
import numpy as np
import pytest

from agent.analytics.row.motion import CameraMotion
from agent.types import Image

NO_BOXES = np.zeros((0, 4), np.float32)


def scenery(seed: int) -> Image:
    """A wide picture with things to hold on to, of no pattern that comes again."""
    noise = np.random.default_rng(seed).integers(0, 256, (90, 300, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (2400, 720), interpolation=cv2.INTER_CUBIC), np.uint8)


def window(wide: Image, x: float, y: float) -> Image:
    move = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
    return np.asarray(cv2.warpAffine(wide, move, (1280, 640)), np.uint8)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (16, 3), (-16.4, 2.7), (100, -20), (-300, 0)])
def test_shift_of_the_picture_is_found(right: float, down: float):
    """From nothing to a quarter of the picture, to half a pixel."""
    wide, motion = scenery(1), CameraMotion()
    motion.moved(window(wide, 500, 40), NO_BOXES)
    shift = motion.moved(window(wide, 500 - right, 40 - down), NO_BOXES)
    assert not shift.cut
    assert (shift.right_px, shift.down_px) == pytest.approx((right, down), abs=0.5)


def test_another_scene_is_a_cut():
    """A picture that has nothing in common with the last one is another scene."""
    motion = CameraMotion()
    motion.moved(window(scenery(1), 0, 0), NO_BOXES)
    assert motion.moved(window(scenery(2), 0, 0), NO_BOXES).cut


def test_picture_that_shows_nothing_is_passed_over():
    """After black pictures the next is compared with the last that showed something."""
    wide, motion = scenery(1), CameraMotion()
    motion.moved(window(wide, 500, 0), NO_BOXES)
    assert not motion.moved(np.zeros((640, 1280, 3), np.uint8), NO_BOXES).cut
    shift = motion.moved(window(wide, 530, 0), NO_BOXES)
    assert not shift.cut
    assert shift.right_px == pytest.approx(-30, abs=0.5)


def test_boxes_tell_the_shift_where_corners_cannot():
    """In a picture without corners the objects that moved alike say how far."""
    motion, dark = CameraMotion(), np.zeros((640, 1280, 3), np.uint8)
    boxes = np.array([[x, y, x + 60, y + 60] for x, y in ((100, 50), (400, 300), (700, 90), (900, 500))], np.float32)
    motion.moved(dark, boxes)
    shift = motion.moved(dark, boxes + np.array([-25, 4, -25, 4], np.float32))
    assert (shift.right_px, shift.down_px) == pytest.approx((-25, 4))


def test_boxes_that_agree_by_chance_hide_no_cut():
    """In another scene some boxes are always so far from some of the old ones; the picture decides."""
    motion = CameraMotion()
    boxes = np.array([[x, y, x + 60, y + 60] for x, y in ((100, 50), (400, 300), (700, 90))], np.float32)
    motion.moved(window(scenery(1), 0, 0), boxes)
    assert motion.moved(window(scenery(2), 0, 0), boxes - 30).cut


def test_most_of_the_picture_wins():
    """Something that moves before the camera does not move the camera."""
    wide, motion = scenery(1), CameraMotion()
    first, second = window(wide, 500, 0), window(wide, 516, 0)
    passer = scenery(3)[:400, :400]
    first[200:600, 300:700], second[200:600, 420:820] = passer, passer
    motion.moved(first, NO_BOXES)
    assert motion.moved(second, NO_BOXES).right_px == pytest.approx(-16, abs=0.5)


def test_another_size_of_picture_is_a_cut():
    """After a reconnect with another resolution nothing can be said of the way between."""
    motion = CameraMotion()
    motion.moved(window(scenery(1), 0, 0), NO_BOXES)
    assert motion.moved(np.zeros((240, 320, 3), np.uint8), NO_BOXES).cut
