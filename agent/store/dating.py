"""Puts the times of what comes late from a clock that was wrong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from agent.store.boots import Correction
from agent.types import Event, Instant, MeasureRollup, Rollup

Part = TypeVar("Part", Rollup, MeasureRollup, Rollup | MeasureRollup)


def dated(part: Part, known: Mapping[int, Correction]) -> Part:
    """Return a part of a window by the clock that tells its boot's rows now."""
    correction = known.get(part.boot)
    if correction is None:
        return part
    start_s = part.window_start_s + correction.window_shift_s
    return replace(part, window_start_s=start_s, boot=correction.told_by)


def event_dated(event: Event, known: Mapping[int, Correction]) -> Event:
    """Return an event by the clock that tells its boot's rows now."""
    correction = known.get(event.at.boot)
    if correction is None:
        return event
    at = event.at
    return replace(event, at=Instant(at.utc_ns + correction.shift_ms * 1_000_000, at.monotonic_ns, correction.told_by))
