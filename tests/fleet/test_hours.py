"""What an hour of a camera is called, by what has come of it. Times in minutes, so that they can be read."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.fleet.hours import Hour, Known, Window, classify, total
from cloud_sync.fleet.spans import Span, clip, common, length, union, without

MINUTE_MS = 60_000


def minutes(begin: int, end: int) -> Span:
    return (begin * MINUTE_MS, end * MINUTE_MS)


def seen(begin: int, end: int, share: float = 1.0, *, every: int = 1) -> list[Window]:
    """Windows side by side, of which a share was observed."""
    size = every * MINUTE_MS
    return [Window(at * MINUTE_MS, size, round(size * share)) for at in range(begin, end, every)]


def one_hour(windows: list[Window], **known: Any) -> dict[str, int]:
    """The hour from 0 to 60; what it comes to, in minutes, without what is 0."""
    [hour] = classify(minutes(0, 60), windows, Known(**known))
    return shares(hour)


def shares(hour: Hour) -> dict[str, int]:
    names = ("observed", "blind", "off", "shed", "missing")
    found = {name: round(getattr(hour, f"{name}_ms") / MINUTE_MS) for name in names}
    assert sum(getattr(hour, f"{name}_ms") for name in names) == hour.length_ms
    return {name: value for name, value in found.items() if value}


CASES = [
    ("all of it observed", seen(0, 60), {}, {"observed": 60}),
    ("nothing came and nothing is missing", [], {}, {"off": 60}),
    ("windows without observation", seen(0, 60, 0.0), {}, {"blind": 60}),
    ("half of each window", seen(0, 60, 0.5), {}, {"observed": 30, "blind": 30}),
    ("box off for the last third", seen(0, 40), {}, {"observed": 40, "off": 20}),
    ("a gap of seqs over the last third", seen(0, 40), {"missing": [minutes(35, 70)]}, {"observed": 40, "missing": 20}),
    ("a gap whose rows came already", seen(0, 60), {"missing": [minutes(0, 60)]}, {"observed": 60}),
    ("a gap in a part of what is not there", [], {"missing": [minutes(10, 20)]}, {"missing": 10, "off": 50}),
    ("given up by rule", seen(0, 30), {"shed": [minutes(30, 60)]}, {"observed": 30, "shed": 30}),
    (
        "given up, and seqs missing around it",
        [],
        {"shed": [minutes(0, 30)], "missing": [minutes(0, 45)]},
        {"shed": 30, "missing": 15, "off": 15},
    ),
    ("given up, and here all the same", seen(0, 60), {"shed": [minutes(0, 60)]}, {"observed": 60}),
    (
        "stopped, and the hour merged into one row",
        seen(0, 60, 0.5, every=60),
        {"off": [minutes(30, 60)]},
        {"observed": 30, "off": 30},
    ),
    (
        "blind before it was stopped",
        seen(0, 60, 1 / 3, every=60),
        {"off": [minutes(30, 60)]},
        {"observed": 20, "blind": 10, "off": 30},
    ),
    ("observed in a time called off", seen(0, 60), {"off": [minutes(0, 60)]}, {"observed": 60}),
    (
        "a stop for which entries are missing",
        seen(0, 30),
        {"off": [minutes(30, 60)], "missing": [minutes(30, 60)]},
        {"observed": 30, "missing": 30},
    ),
    ("windows of two lengths over each other", seen(0, 60) + seen(0, 60, every=5), {}, {"observed": 60}),
    (
        "windows of five minutes after a change",
        seen(0, 2) + seen(0, 60, 0.6, every=60),
        {},
        {"observed": 38, "blind": 22},
    ),
]


@pytest.mark.parametrize(
    ("windows", "known", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_hour(windows: list[Window], known: dict[str, Any], expected: dict[str, int]):
    """Each kind of history has one name, and the shares add up to the hour."""
    assert one_hour(sorted(windows), **known) == expected


def test_hours_of_what_was_asked():
    """What is asked for is told in hours of UTC; at its ends they are shorter."""
    hours = list(classify(minutes(50, 130), seen(0, 180), Known()))
    assert [(hour.start_ms // MINUTE_MS, hour.length_ms // MINUTE_MS) for hour in hours] == [
        (50, 10),
        (60, 60),
        (120, 10),
    ]
    assert shares(total(hours)) == {"observed": 80}
    assert list(classify(minutes(10, 10), [], Known())) == []


def test_day_merged_into_one_row():
    """A row of a day is laid evenly over the hours in which the box was not known to be off."""
    day = [Window(0, 24 * 60 * MINUTE_MS, 6 * 60 * MINUTE_MS)]
    off = [minutes(0, 8 * 60), minutes(20 * 60, 24 * 60)]
    hours = list(classify(minutes(0, 24 * 60), day, Known(off=off)))
    assert [shares(hour) for hour in hours[:8] + hours[20:]] == [{"off": 60}] * 12
    assert [shares(hour) for hour in hours[8:20]] == [{"observed": 30, "blind": 30}] * 12


def test_blind_because_of():
    """A blind hour names the states that the camera was in, those before the hour included; a seeing one none."""
    states = [(0, "live"), (50 * MINUTE_MS, "stalled"), (130 * MINUTE_MS, "unreachable"), (150 * MINUTE_MS, "live")]
    windows = seen(0, 50) + seen(50, 150, 0.0) + seen(150, 240)
    hours = list(classify(minutes(0, 240), windows, Known(states=states)))
    assert [hour.because for hour in hours] == [("stalled",), ("stalled",), ("stalled", "unreachable"), ()]
    assert total(hours).because == ("stalled", "unreachable")


span = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
spans = st.lists(span, max_size=6)


def points(of: list[Span]) -> set[int]:
    return {point for begin, end in of for point in range(begin, end)}


@given(spans, spans, span)
def test_spans_are_sets_of_time(first: list[Span], second: list[Span], window: Span):
    """Union, clip, common and without do to spans what sets do to their points."""
    a, b = union(first), union(second)
    assert points(a) == points(first)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(a))
    assert points(clip(a, window)) == points(a) & points([window])
    assert points(common(a, b)) == points(a) & points(b)
    assert points(without(a, b)) == points(a) - points(b)
    assert length(a) == len(points(a))


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from([1, 5, 60, 1440]), st.integers(0, 1440)), max_size=12),
    spans,
    spans,
    spans,
)
def test_shares_always_add_up(windows: list, off: list[Span], shed: list[Span], missing: list[Span]):
    """Whatever comes, no hour has more than its length, and nothing is negative."""
    made = sorted(
        Window(start * MINUTE_MS, size * MINUTE_MS, observed * MINUTE_MS) for start, size, observed in windows
    )
    scaled = [
        union((10 * begin * MINUTE_MS, 10 * end * MINUTE_MS) for begin, end in each) for each in (off, shed, missing)
    ]
    known = Known(off=scaled[0], shed=scaled[1], missing=scaled[2])
    for hour in classify(minutes(0, 360), made, known):
        parts = (hour.observed_ms, hour.blind_ms, hour.off_ms, hour.shed_ms, hour.missing_ms)
        assert min(parts) >= 0
        assert sum(parts) == hour.length_ms
