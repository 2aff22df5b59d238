"""A camera that suddenly sees much less green than it is used to: a reason to look there, and no more than that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from agent.types import Event, Instant

_WINDOW_DAYS = 14  # of history that say what is usual
_LEAST_DAYS = 5
_LEAST_READINGS = 30  # of a day, or it does not count: at one each ten seconds, five minutes of daylight
_NOISE = 3.0  # a drop is more than so many standard deviations of the days before
_MAD_TO_SIGMA = 1.4826
_LEAST_USUAL = 0.05  # below it there is nothing that could be lost: winter, bare soil
_HOLD_DAYS = 2  # one day may be fog, snow or a wet lens


@dataclass(frozen=True, slots=True)
class DailyValue:
    """The mean over a finished day of one measure of one camera, and how many readings are in it."""

    day: date
    value: float
    readings: int


@dataclass(frozen=True, slots=True)
class Usual:
    """What a camera's own history lets expect: the value, its standard deviation, and of how many days."""

    value: float
    sigma: float
    days: int


@dataclass(frozen=True, slots=True)
class Drop:
    """A day on which a measure had been far below the usual for some days in a row. ``since`` is the first of them.

    ``open``: it lasts to the end of what is known.
    """

    day: date
    since: date
    value: float
    usual: Usual
    open: bool

    @property
    def share(self) -> float:
        """Return how much of the usual is missing, in [0, 1] and above 1 for a value below zero."""
        return 1 - self.value / self.usual.value


def usual(history: Sequence[DailyValue], day: date) -> Usual:
    """Return what to expect of ``day`` after the days of ``history``, at least one, all before it.

    The slow rise and fall of leaves is part of what is usual: a line is laid through the days, its slope the median of
    the slopes of all pairs, and followed to ``day`` where it falls. Where it rises it is not followed: growth that ends
    is no loss. Sigma is 1.4826 times the median absolute deviation from the line.

    Source: Theil-Sen line (Sen 1968, JASA 63, 1379-1389); MAD (Hampel 1974; factor for a normal distribution,
    Rousseeuw & Croux 1993, JASA 88, 1273-1283).
    """
    ages = np.array([(day - each.day).days for each in history], np.float64)  # days before ``day``
    values = np.array([each.value for each in history], np.float64)
    former, later = np.triu_indices(len(history), k=1)
    slopes = (values[later] - values[former]) / (ages[former] - ages[later])
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    levels = values + slope * ages
    expected = float(np.median(levels))
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(levels - expected)))
    return Usual(min(expected, float(np.median(values))), sigma, len(values))


def find_drops(days: Sequence[DailyValue], *, drop: float) -> tuple[Drop, ...]:
    """Go through the days of one measure and return its drops, oldest first; only the last may be ``open``.

    A drop begins when a value is by more than ``drop`` below the usual, and by more than three sigma, on two days in a
    row that have readings. While it lasts, it is held against what was usual before it began. It ends when a value is
    back by half of ``drop`` or better, or after 14 days: what has lasted so long is usual by then.

    Args:
        days: In ascending order, each day once. Days with too few readings are left out.
        drop: Share of the usual, in (0, 1).
    """
    found: list[Drop] = []
    history: list[DailyValue] = []
    low: list[DailyValue] = []  # days in a row that are far below
    before: Usual | None = None  # what was usual when they began
    for today in (each for each in days if each.readings >= _LEAST_READINGS):
        if low and (today.day - low[0].day).days >= _WINDOW_DAYS:
            history, low, found = history + low, [], _closed(found)
        if not low:
            before = _usual_before(history, today.day)
        if before is None or not _is_low(today, before, drop, lasting=len(low) >= _HOLD_DAYS):
            passing = low if len(low) < _HOLD_DAYS else []  # a low day of its own is part of the noise, a drop is not
            history += [*passing, today]
            low, found = [], _closed(found)
            continue
        low.append(today)
        if len(low) == _HOLD_DAYS:
            found.append(Drop(today.day, low[0].day, today.value, before, open=True))
    return tuple(found)


def _closed(found: Sequence[Drop]) -> list[Drop]:
    return [replace(each, open=False) for each in found]


def _usual_before(history: Sequence[DailyValue], day: date) -> Usual | None:
    recent = [each for each in history if each.day >= day - timedelta(days=_WINDOW_DAYS)]
    if len(recent) < _LEAST_DAYS:
        return None
    found = usual(recent, day)
    return found if found.value >= _LEAST_USUAL else None


def _is_low(today: DailyValue, before: Usual, drop: float, *, lasting: bool) -> bool:
    missing = before.value - today.value
    if lasting:
        return missing > drop / 2 * before.value
    return missing > drop * before.value and missing > _NOISE * before.sigma


class CanopyTrend:
    """Watches the daily values of one camera and says "look here" once an episode.

    An episode lasts while any measure of the camera is in a drop: somebody who was told to look will see the rest.
    """

    def __init__(self, camera: str, *, drop: float, told: date | None = None) -> None:
        """Start, or go on after a restart.

        Args:
            camera: For the events.
            drop: Share of the usual that must be missing, in (0, 1).
            told: ``day`` of the last such event of this camera that was stored; None where there is none.

        Raises:
            ValueError: ``drop`` is out of range.
        """
        if not 0 < drop < 1:
            raise ValueError(f"drop: found {drop}; allowed: more than 0 and less than 1")
        self._camera = camera
        self._drop = drop
        self._told = told

    @property
    def told(self) -> date | None:
        """Return the day of the last event."""
        return self._told

    def review(self, daily: Mapping[str, Sequence[DailyValue]], at: Instant) -> tuple[Event, ...]:
        """Look through the history; call it as often as wanted, with the same days it says the same thing only once.

        Args:
            daily: By measure, finished days in ascending order; of the last 60 days, as far as there are any.
            at: For the event.

        Returns:
            No event or one: of the measures that dropped, the one that dropped most, and the others' names. The event
            says where to look, not what is wrong: leaves may be lost, ill, dry or covered, and the camera may be.
        """
        last = {name: find_drops(days, drop=self._drop)[-1:] for name, days in daily.items()}
        drops = {name: found[0] for name, found in last.items() if found and found[0].open}
        if not drops or (self._told is not None and any(found.day <= self._told for found in drops.values())):
            return ()
        self._told = max(found.day for found in drops.values())
        return (self._event(drops, at),)

    def _event(self, drops: Mapping[str, Drop], at: Instant) -> Event:
        measure = max(drops, key=lambda name: drops[name].share)
        found = drops[measure]
        return Event(
            "look-here",
            self._camera,
            at,
            {
                "measure": measure,
                "value": found.value,
                "usual": found.usual.value,
                "drop": found.share,
                "days": found.usual.days,
                "since": found.since.isoformat(),
                "day": max(drop.day for drop in drops.values()).isoformat(),
                "also": ", ".join(sorted(drops.keys() - {measure})),
            },
        )
