"""Outlines drawn by hand."""

import pytest

from agent.outline import area, crosses_itself, is_convex

SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
BOW = [(0, 0), (1, 1), (1, 0), (0, 1)]
DENTED = [(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)]
TOUCHING = [(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)]  # a corner on a side


@pytest.mark.parametrize(
    ("outline", "expected"), [(SQUARE, 1), (SQUARE[::-1], 1), ([(0, 0), (4, 0), (0, 3)], 6), (DENTED, 10)]
)
def test_area_by_hand(outline, expected):
    """A triangle is half its base by its height; a dent of 4 by 3 halved is missing from a square of 16."""
    assert area(outline) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("outline", "crosses"),
    [(SQUARE, False), (BOW, True), (DENTED, False), (TOUCHING, True), ([(0, 0), (4, 0), (0, 3)], False)],
)
def test_crossing(outline, crosses):
    """Sides that cross or touch are found, neighbours that share their corner are not meant."""
    assert crosses_itself(outline) is crosses


@pytest.mark.parametrize(
    ("outline", "convex"),
    [(SQUARE, True), (SQUARE[::-1], True), (DENTED, False), ([(0, 0), (1, 0), (2, 0), (1, 1)], False)],
)
def test_convexity(outline, convex):
    """An outline is convex in either direction, with a dent it is not, and a corner that is none spoils it."""
    assert is_convex(outline) is convex
