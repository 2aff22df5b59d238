"""What a camera did in each hour, by what has come of it. Pure: all times are handed in, in milliseconds of UTC."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cloud_sync.fleet.spans import Span, clip, common, length, union, without

HOUR_MS = 3_600_000
SEEING = {"live", "clear"}
"""States of a camera, and of its sight, that blind nobody."""


class Window(NamedTuple):
    """The row of zone ``*`` and class ``*``: how long a camera observed in a window that it watched."""

    start_ms: int
    length_ms: int
    observed_ms: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a camera's time beside its windows. Spans are sorted and apart."""

    off: Sequence[Span] = ()  # the agent was stopped, by its own word
    shed: Sequence[Span] = ()  # given up by rule, and gone
    missing: Sequence[Span] = ()  # seqs that have not come may be of this time
    states: Sequence[tuple[int, str]] = ()  # of the camera, and since when; ascending
    sights: Sequence[tuple[int, str]] = ()  # what kept a live camera from seeing, and since when; ascending


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of a camera; the five add up to ``length_ms``.

    ``blind``: it was watched and showed nothing, ``because`` of these states. ``off``: box or camera were not on.
    ``shed``: seen, and given up by rule. ``missing``: not known, and may yet come.
    """

    start_ms: int
    length_ms: int  # less than an hour at the ends of what was asked for
    observed_ms: int
    blind_ms: int
    off_ms: int
    shed_ms: int
    missing_ms: int
    because: tuple[str, ...] = ()


def classify(asked: Span, windows: Iterable[Window], known: Known) -> Iterator[Hour]:
    """Yield the hours of a stretch of time.

    Args:
        asked: From when to when.
        windows: Ascending by start; all that reach into ``asked``. They may be longer than an hour: what was observed
            is then laid evenly over the time that the box was not known to be off.
        known: The rest.
    """
    coming = iter(windows)
    following = next(coming, None)
    open_windows: list[Window] = []
    for hour in _hours(asked):
        while following is not None and following.start_ms < hour[1]:
            open_windows.append(following)
            following = next(coming, None)
        open_windows = [window for window in open_windows if window.start_ms + window.length_ms > hour[0]]
        yield _classify(hour, open_windows, known)


def _hours(asked: Span) -> Iterator[Span]:
    begin = asked[0]
    while begin < asked[1]:
        end = min(asked[1], begin - begin % HOUR_MS + HOUR_MS)
        yield begin, end
        begin = end


def _classify(hour: Span, windows: Sequence[Window], known: Known) -> Hour:
    covered = union(clip(((window.start_ms, window.start_ms + window.length_ms) for window in windows), hour))
    covered_ms = length(covered)
    observed_ms = min(covered_ms, round(sum(_observed_in(hour, window, known.off) for window in windows)))
    # A window's edge is not the moment of a start or stop: what was not observed there was off, not blind.
    off_ms = min(covered_ms - observed_ms, length(common(covered, known.off)))
    blind_ms = covered_ms - observed_ms - off_ms
    rest = without([hour], covered)
    shed_ms = length(common(rest, known.shed))
    rest = without(rest, known.shed)
    missing_ms = length(common(rest, known.missing))
    return Hour(
        start_ms=hour[0],
        length_ms=hour[1] - hour[0],
        observed_ms=observed_ms,
        blind_ms=blind_ms,
        off_ms=off_ms + length(rest) - missing_ms,
        shed_ms=shed_ms,
        missing_ms=missing_ms,
        because=_because(hour, known) if blind_ms else (),
    )


def _observed_in(hour: Span, window: Window, off: Sequence[Span]) -> float:
    """Return what of a window's observed time lies in this hour."""
    whole = [(window.start_ms, window.start_ms + window.length_ms)]
    on = without(whole, off) or whole
    return window.observed_ms * length(clip(on, hour)) / length(on)


def _because(hour: Span, known: Known) -> tuple[str, ...]:
    """Return what kept a camera from seeing: its own states first, each in the order in which they came."""
    found = [*_within(hour, known.states), *_within(hour, known.sights)]
    return tuple(dict.fromkeys(state for state in found if state not in SEEING))


def _within(hour: Span, states: Sequence[tuple[int, str]]) -> Iterator[str]:
    ends = [*(since_ms for since_ms, _ in states[1:]), hour[1]]
    for (since_ms, state), end_ms in zip(states, ends, strict=False):
        if since_ms < hour[1] and end_ms > hour[0]:
            yield state


def total(hours: Iterable[Hour]) -> Hour:
    """Add up some hours, at least one; the causes are those of all."""
    parts = list(hours)
    return Hour(
        start_ms=parts[0].start_ms,
        length_ms=sum(part.length_ms for part in parts),
        observed_ms=sum(part.observed_ms for part in parts),
        blind_ms=sum(part.blind_ms for part in parts),
        off_ms=sum(part.off_ms for part in parts),
        shed_ms=sum(part.shed_ms for part in parts),
        missing_ms=sum(part.missing_ms for part in parts),
        because=tuple(dict.fromkeys(state for part in parts for state in part.because)),
    )
