"""Lines, by hand: who went over, in which direction, and what does not count."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analytics.lines import LineAnalysis
from agent.config import LineConfig
from agent.errors import ConfigError
from agent.types import ANY, Measure
from tests.analytics.scenes import tracks
from tests.analytics.walks import frame_at

NAMES = ("apple", "person")
ACROSS = LineConfig(name="gate", points=((0.25, 0.5), (0.75, 0.5)))  # drawn to the right: downwards is in
LINE_Y, X = 1440, 960


def watch(frames, *, line: LineConfig = ACROSS, fps: float = 5.0) -> list[Measure]:
    """Show frames, each a list of (id, class, x, y); boxes are 100 by 200, so the band is 40 to each side."""
    analysis = LineAnalysis((line,), "north", NAMES)
    found = []
    for number, frame in enumerate(frames):
        shown = tracks(*((i, c, (x, y, 100, 200)) for i, c, x, y in frame))
        findings = analysis.observe(frame_at(number / fps), shown, observed_ns=round(1e9 / fps))
        assert findings.counts == findings.events == ()
        found += findings.measures
    return found


def path(*ys: float, x: float = X, track: int = 1, class_id: int = 1) -> list[list[tuple]]:
    return [[(track, class_id, x, LINE_Y + y)] for y in ys]


def names(found: list[Measure]) -> list[str]:
    return [measure.name for measure in found if measure.class_name == ANY]


def test_crossing_is_a_reading_for_the_class_and_for_all():
    """One crossing gives two readings of 1, with the line's name as the zone."""
    assert watch(path(-100, -50, 0, 50, 100)) == [
        Measure("gate", "person", "crossed_in", 1.0),
        Measure("gate", ANY, "crossed_in", 1.0),
    ]


@pytest.mark.parametrize(
    ("points", "to", "expected"),
    [
        (((0.25, 0.5), (0.75, 0.5)), (0, 1), "crossed_in"),  # drawn to the right, crossed downwards: left to right
        (((0.25, 0.5), (0.75, 0.5)), (0, -1), "crossed_out"),
        (((0.75, 0.5), (0.25, 0.5)), (0, 1), "crossed_out"),
        (((0.5, 0.25), (0.5, 0.75)), (-1, 0), "crossed_in"),  # drawn down: its right is the picture's left
        (((0.5, 0.25), (0.5, 0.75)), (1, 0), "crossed_out"),
        (((0.25, 0.25), (0.75, 0.75)), (-1, 1), "crossed_in"),
    ],
)
def test_direction(points, to, expected):
    """``in`` is from the left to the right of one who goes along the line."""
    way = [[(1, 0, X + to[0] * d, LINE_Y + to[1] * d)] for d in (-200, -100, 0, 100, 200)]
    assert names(watch(way, line=LineConfig(name="l", points=points))) == [expected]


@pytest.mark.parametrize(
    ("ys", "expected"),
    [
        ([-100, -50, -30, 30, -30, 30, -39, 39, 30, -30], []),  # flickers on the line, goes nowhere
        ([-100, -30, 30, -30, 30, 50, 100], ["crossed_in"]),  # flickers, then goes over
        ([-100, 100, 100, -100, -100], ["crossed_in", "crossed_out"]),  # over, and back
        ([-100, 0, 30, 0, -100, -100], []),  # comes near and turns back
        ([-100, 60, -100, -100], []),  # one odd box
        ([-30, 30, 60, 100], []),  # was never clearly before it
        ([-30, -60, -30, 30, 60, 100], ["crossed_in"]),  # first seen close to it, then clear
        ([-100, 60, *[None] * 30], ["crossed_in"]),  # once beyond and never again: no slip is known
        ([-100, -30, *[None] * 30], []),
        ([-100, *[None] * 8, 100, 100], ["crossed_in"]),  # nobody saw how
    ],
)
def test_what_counts(ys, expected):
    """A crossing is from clearly one side to clearly the other, once, however often the box moves on the line."""
    frames = [[] if y is None else [(1, 0, X, LINE_Y + y)] for y in ys]
    assert names(watch(frames)) == expected


@pytest.mark.parametrize(("x", "counted"), [(470, 0), (490, 1), (1430, 1), (1450, 0)])
def test_line_has_ends(x, counted):
    """The line goes from 480 to 1440: what passes beside it does not cross it."""
    assert len(names(watch(path(-100, -50, 50, 100, x=x)))) == counted


def test_way_round_the_end_counts_only_through_the_line():
    """Who goes round the end and comes back through the line has crossed it once, that way."""
    round_it = [(960, -100), (300, -100), (300, 100), (300, 100), (960, 100), (960, -100), (960, -100)]
    assert names(watch([[(1, 0, x, LINE_Y + y)] for x, y in round_it])) == ["crossed_out"]


def test_anchor_may_be_the_foot():
    """With the foot as anchor, an object 200 high is over when its lower side is."""
    line = ACROSS.model_copy(update={"anchor": "bottom"})
    way = path(-200, -150, -50, -50)
    assert names(watch(way, line=line)) == ["crossed_in"]
    assert names(watch(way)) == []


def test_classes_of_a_line():
    """A line counts its classes only; one that the model does not know stops the program, named with what it knows."""
    people = LineConfig(name="gate", points=ACROSS.points, classes=("person",))
    assert watch(path(-100, 100, 100, class_id=0), line=people) == []
    assert len(watch(path(-100, 100, 100, class_id=1), line=people)) == 2
    with pytest.raises(ConfigError, match=r"camera north: line gate: classes: found 'pear'; .*knows apple, person"):
        watch([], line=LineConfig(name="gate", points=ACROSS.points, classes=("pear",)))


def test_new_id_on_the_line():
    """Who gets a new id on the line, or comes out beyond it under a new one, has crossed it once."""
    on_it = [*path(-200, -150, -100, -50, 0), [], [], *path(50, 100, 150, track=2)]
    assert names(watch(on_it)) == ["crossed_in"]
    hidden = [*path(-200, -150, -100), *[[]] * 4, *path(100, 150, 200, 250, track=2)]
    assert names(watch(hidden)) == ["crossed_in"]


def test_who_comes_after_is_somebody_else():
    """A new track beyond the line, where the one that vanished before it could not have come to, did not cross."""
    elsewhere = [*path(-200, -150, -100), *[[]] * 4, *path(100, 150, 200, 250, track=2, x=1300)]
    assert names(watch(elsewhere)) == []
    towards = [*path(-250, -200, -150), *[[]] * 4, *path(400, 350, 300, 250, track=2)]
    assert names(watch(towards)) == []


def test_two_at_once_and_two_lines():
    """Objects do not know of each other, and neither do lines."""
    second = LineConfig(name="second", points=((0.25, 0.6), (0.75, 0.6)))
    analysis = LineAnalysis((ACROSS, second), "north", NAMES)
    found = []
    for n in range(12):
        shown = tracks((1, 0, (700, 1200 + 60 * n, 100, 100)), (2, 1, (1200, 2000 - 60 * n, 100, 100)))
        found += analysis.observe(frame_at(n / 5), shown, observed_ns=1).measures
    assert sorted((one.zone, one.class_name, one.name) for one in found if one.class_name != ANY) == [
        ("gate", "apple", "crossed_in"),
        ("gate", "person", "crossed_out"),
        ("second", "apple", "crossed_in"),
        ("second", "person", "crossed_out"),
    ]


def test_passages_are_forgotten():
    """Who is gone leaves nothing behind."""
    analysis = LineAnalysis((ACROSS,), "north", NAMES)
    for n in range(400):
        shown = tracks((n, 0, (n * 7919 % 1900, 1000, 100, 100)))
        analysis.observe(frame_at(n / 5), shown, observed_ns=1)
    assert len(analysis._lines[0].passages) <= 21


@given(st.lists(st.one_of(st.none(), st.integers(-120, 120)), min_size=1, max_size=60))
def test_in_and_out_take_turns(ys):
    """Whatever one object does within the line's ends, in and out alternate, so they differ by one at most."""
    found = names(watch([[] if y is None else [(1, 0, X, LINE_Y + y)] for y in ys]))
    assert all(first != second for first, second in pairwise(found))
