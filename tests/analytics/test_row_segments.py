"""How a row is divided."""

from agent.analytics.row.segments import Segments
from agent.analytics.row.view import View

W = 100


def at(left: float) -> View:
    return View(left, 0, W, 50)


def test_bare_stretch_ends_a_tree():
    """When more than a whole picture went by without fruit the tree is over, and the next fruit is of another."""
    segments = Segments(None)
    assert segments.show(at(0), has_fruit=True) == []
    first = segments.at(50)
    assert segments.show(at(100), has_fruit=False) == []
    assert segments.show(at(101), has_fruit=False) == [first]
    assert segments.show(at(300), has_fruit=True) == []
    assert segments.at(350).number == 2
    assert first.length == 200


def test_bare_stretch_the_other_way():
    """A row may go by in either direction."""
    segments = Segments(None)
    segments.show(at(0), has_fruit=True)
    assert [s.number for s in segments.show(at(-101), has_fruit=False)] == [1]


def test_piece_is_over_when_a_picture_away():
    """A piece ends once, when it lies more than a picture's width behind; coming back does not end it again."""
    segments = Segments(50.0)
    assert segments.show(at(0), has_fruit=True) == []
    assert segments.show(at(150), has_fruit=True) == []
    assert [s.start for s in segments.show(at(151), has_fruit=True)] == [0]
    segments.show(at(0), has_fruit=True)
    assert [s.start for s in segments.show(at(160), has_fruit=True)] == []


def test_length_is_what_was_in_the_picture():
    """A piece of which only a part was seen says so."""
    segments = Segments(50.0)
    segments.show(at(20), has_fruit=True)
    assert [segments.at(place).length for place in (30, 60, 110)] == [30, 50, 20]


def test_nothing_is_over_before_anything_was_seen():
    """A camera that has not met fruit has no tree to report."""
    segments = Segments(None)
    assert segments.show(at(0), has_fruit=False) == []
    assert segments.end() == []
