"""Trend: a sudden drop against the camera's own history is told once; weather and seasons are not."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from agent.analytics.farm import CanopyTrend, DailyValue
from agent.analytics.farm.trend import find_drops, usual
from agent.types import Event, Instant

FIRST = date(2026, 5, 1)
AT = Instant(utc_ns=1, monotonic_ns=2, boot=3)


def days(values: Iterable[float], readings: int = 500) -> list[DailyValue]:
    return [DailyValue(FIRST + timedelta(number), float(value), readings) for number, value in enumerate(values)]


def told_by_day(history: Sequence[DailyValue], trend: CanopyTrend, measure: str = "canopy_cover") -> list[Event]:
    """What a box says that reviews its last 60 days each day."""
    reviews = (history[max(0, end - 60) : end] for end in range(1, len(history) + 1))
    return [event for seen in reviews for event in trend.review({measure: seen}, AT)]


def test_usual_is_a_line_through_the_days_by_hand():
    """Of 0.5, 0.4, 0.6, 0.5, 0.5 the slopes' median is 0, the median 0.5, and the MAD 0, since three days lie on it."""
    found = usual(days([0.5, 0.4, 0.6, 0.5, 0.5]), FIRST + timedelta(5))
    assert (found.value, found.sigma, found.days) == (pytest.approx(0.5), pytest.approx(0), 5)


def test_sigma_by_hand():
    """Of 1, 2, 9, 2, 1 the slopes' median is 0, so the levels' median is 2, their deviations 1, 0, 7, 0, 1, MAD 1."""
    found = usual(days([1, 2, 9, 2, 1]), FIRST + timedelta(5))
    assert (found.value, found.sigma) == (pytest.approx(2), pytest.approx(1.4826))


def test_a_fall_is_followed_and_growth_is_not():
    """After 0.9 to 0.5 in steps of 0.1, 0.4 is usual; after 0.5 to 0.9 it is the median, 0.7."""
    assert usual(days([0.9, 0.8, 0.7, 0.6, 0.5]), FIRST + timedelta(5)).value == pytest.approx(0.4)
    assert usual(days([0.5, 0.6, 0.7, 0.8, 0.9]), FIRST + timedelta(5)).value == pytest.approx(0.7)


def test_event_says_where_to_look_and_no_more():
    """A drop that holds for two days gives one event with the measure, its value, the usual and the share missing."""
    (event,) = told_by_day(days([0.6] * 10 + [0.36] * 5), CanopyTrend("north", drop=0.3))
    assert (event.kind, event.camera, event.at, event.alarm) == ("look-here", "north", AT, False)
    assert event.data == {
        "measure": "canopy_cover",
        "value": 0.36,
        "usual": pytest.approx(0.6),
        "drop": pytest.approx(0.4),
        "days": 10,
        "since": "2026-05-11",
        "day": "2026-05-12",
        "also": "",
    }


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([0.6] * 2 + [0.1] * 6, "two days are no history"),
        ([0.6] * 10 + [0.43] * 5, "28% is less than 30%"),
        ([0.6] * 10 + [0.2] + [0.6] * 5, "one day may be fog"),
        ([0.6, 0.45, 0.3] * 4 + [0.25] * 3, "where days differ so much, 44% below their median is noise"),
        (
            [0.6, 0.64, 0.56, 0.62, 0.58] + [0.3, 0.56, 0.3, 0.64, 0.3, 0.6] * 3 + [0.3] * 2,
            "low days that came alone are a part of what is usual",
        ),
        ([0.04] * 10 + [0.01] * 5, "bare branches have no leaves to lose"),
        ([0.6] * 10 + [0.9] * 5, "more green than usual is no loss"),
    ],
)
def test_no_drop(values: list[float], why: str):
    """What is no drop raises nothing, on no day."""
    assert told_by_day(days(values), CanopyTrend("north", drop=0.3)) == [], why


def test_told_once_until_it_recovers():
    """A drop of a week is told once; after recovery the next drop is told again."""
    values = [0.6] * 10 + [0.3] * 7 + [0.6] * 6 + [0.3] * 4
    events = told_by_day(days(values), CanopyTrend("north", drop=0.3))
    assert [event.data["since"] for event in events] == ["2026-05-11", "2026-05-24"]


def test_what_has_recovered_is_not_told():
    """Who looks for the first time after a drop has passed is not sent to look for it."""
    assert CanopyTrend("north", drop=0.3).review({"exg": days([0.6] * 10 + [0.3] * 4 + [0.6] * 3)}, AT) == ()


def test_hovering_at_the_limit_is_one_episode():
    """A value that swings about the limit after a drop does not begin a new episode each time."""
    events = told_by_day(days([0.6] * 10 + [0.40, 0.40, 0.43, 0.40, 0.40, 0.44, 0.41]), CanopyTrend("n", drop=0.3))
    assert len(events) == 1


def test_what_lasts_becomes_usual():
    """A row that was cut stays low: told once, and after a fortnight a further drop is told against the new level."""
    events = told_by_day(days([0.6] * 12 + [0.3] * 30 + [0.15] * 5), CanopyTrend("north", drop=0.3))
    assert [event.data["usual"] for event in events] == [pytest.approx(0.6), pytest.approx(0.3)]


def test_restart_does_not_tell_again():
    """A new object that is told of the last event's day stays silent through the rest of the episode."""
    history = days([0.6] * 10 + [0.3] * 8)
    first = CanopyTrend("north", drop=0.3)
    told_by_day(history[:14], first)
    assert first.told == date(2026, 5, 12)
    assert told_by_day(history, CanopyTrend("north", drop=0.3, told=first.told)) == []


def test_hourly_review_of_the_same_days_says_it_once():
    """The same history gives its event in the first review only."""
    trend, history = CanopyTrend("north", drop=0.3), {"canopy_cover": days([0.6] * 10 + [0.3] * 3)}
    assert [len(trend.review(history, AT)) for _ in range(24)] == [1] + [0] * 23


def test_measures_that_drop_together_are_one_event():
    """Hail shows in all measures; the one that dropped most is told, with the names of the others."""
    trend = CanopyTrend("north", drop=0.3)
    daily = {
        "canopy_cover": days([0.6] * 10 + [0.3] * 2),
        "exg": days([0.2] * 10 + [0.05] * 2),
        "gli": days([0.1] * 12),
    }
    (event,) = trend.review(daily, AT)
    assert (event.data["measure"], event.data["also"]) == ("exg", "canopy_cover")
    daily["gli"] = days([0.1] * 12 + [0.01] * 3)
    daily |= {name: [*daily[name], *days([0.25] * 15)[12:]] for name in ("canopy_cover",)}
    assert trend.review(daily, AT) == ()


def test_days_hardly_seen_do_not_count():
    """A day of a few readings, as when the box was off or the lens covered, neither drops nor makes history."""
    assert find_drops(days([0.6] * 10) + days([0.6] * 10 + [0.1] * 4, readings=5)[10:], drop=0.3) == ()
    assert find_drops(days([0.6] * 10, readings=5) + days([0.6] * 10 + [0.1] * 4)[10:], drop=0.3) == ()


def test_old_history_does_not_count():
    """After a winter without the box, spring is not held against autumn."""
    autumn = days([0.6] * 20)
    spring = [DailyValue(FIRST + timedelta(150 + number), 0.1, 500) for number in range(3)]
    assert find_drops(autumn + spring, drop=0.3) == ()


def season(days_total: int = 365) -> np.ndarray:
    """Cover through a year: leaves come within a month in spring and go within a month in autumn."""
    day = np.arange(days_total)
    return 0.03 + 0.65 / (1 + np.exp((110 - day) / 7)) / (1 + np.exp((day - 300) / 7))


def weather(rng: np.random.Generator, length: int, noise: float) -> np.ndarray:
    """Factors of days, each half like the one before."""
    factors = np.zeros(length)
    for day in range(1, length):
        factors[day] = 0.5 * factors[day - 1] + rng.normal(0, noise * 0.75**0.5)
    return 1 + factors


def test_seasons_and_weather_are_silent():
    """Twenty years of growth, leaf fall and daily weather of 5% raise nothing."""
    for seed in range(20):
        values = season() * weather(np.random.default_rng(seed), 365, 0.05)
        assert find_drops(days(values), drop=0.3) == ()


def test_hail_is_found_within_a_week():
    """A loss of 45% on some summer day is found, once, in each of twenty summers with weather of 5%."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values, hail = season()[140:210] * weather(rng, 70, 0.05), int(rng.integers(30, 55))
        values[hail:] *= 0.55
        (found,) = find_drops(days(values), drop=0.3)
        assert 0 <= (found.since - FIRST).days - hail <= 5


@pytest.mark.parametrize("drop", [0.0, 1.0, -0.3, float("nan")])
def test_drop_out_of_range_is_refused(drop: float):
    """A share of nothing or of everything is no threshold."""
    with pytest.raises(ValueError, match="drop: found"):
        CanopyTrend("north", drop=drop)
