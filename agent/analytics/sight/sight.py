"""Tells "could not see" from "nothing there"."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np

from agent.analytics.gaps import Gaps
from agent.analytics.latch import Latch
from agent.analytics.sight.signs import Signs, read_signs
from agent.analytics.sight.view import Change, View
from agent.types import ANY, Event, Frame, Instant, Measure, Small

_EVERY_S = 1.0
_HOLD_S = 5.0  # exposure settles within that, and lightning and headlights are over
_FROZEN_S = 60.0  # no sensor gives one picture twice; an encoder may, until its next key frame
_MEASURE_S = 60.0
_LEAST_SHARPNESS = 0.15  # a blur of 4 pixels of 640: no detector finds anything small
_USUAL_PART = 0.45  # of a camera's own sharpness
_FALL_S, _RISE_S = 600.0, 86_400.0  # night's noise looks like detail: the lower of day and night is the usual

WORDS = {
    "clear": "sees again",
    "dark": "the picture is dark",
    "overexposed": "most of the picture is white",
    "covered": "the picture shows nothing: the camera is covered, or in fog",
    "blurred": "the picture is blurred: the lens is dirty, wet or out of focus",
    "frozen": "the same picture comes again and again",
}
"""What a camera may suffer from, the first that applies; and the words for it."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of a camera's sight at one frame.

    ``sees``: whether a detector can be expected to find what is there. ``observes``: whether the time counts as
    observed; it does not as long as there is doubt.
    """

    sees: bool = True
    observes: bool = True
    measures: tuple[Measure, ...] = ()
    events: tuple[Event, ...] = ()


class Sight:
    """Watches one camera's sight, once a second. Pure: time comes with the frame.

    Each trouble has a threshold at which it begins and an easier one at which it ends, and is believed when it has
    lasted for five seconds.
    """

    def __init__(self, camera: str, *, max_gap_s: float, view: View | None) -> None:
        """Take the camera to see.

        Args:
            camera: Name for the events.
            max_gap_s: Frames further apart than this leave a gap in which nobody knows what it saw, unless the camera
                is always so slow (``Gaps``).
            view: Notices that it was moved; None for a camera that moves.
        """
        self._camera, self._max_gap_s, self.view = camera, max_gap_s, view
        self._gaps = Gaps(max_gap_s)
        self._latches = {trouble: Latch(side=-1, hold_s=_HOLD_S) for trouble in WORDS if trouble != "clear"}
        self._latches["frozen"].hold_s = 0.0
        self._clear: Mapping[str, int] = {}
        self._usual_sharpness: float | None = None
        self._before: Small | None = None
        self._same_since_s = self._last_s = self._checked_s = self._measured_s = float("-inf")
        self._boot: int | None = None
        self._session: int | None = None
        self.state = "clear"

    @property
    def told(self) -> str:
        """What a person should know: the state, or ``moved`` where it sees well but elsewhere; from any thread."""
        moved = self.state == "clear" and self.view is not None and self.view.moved
        return "moved" if moved else self.state

    def look(self, frame: Frame, *, paced_s: float = 0.0) -> Sighting:
        """Look at the next frame; one without its small picture says nothing new.

        Args:
            frame: The picture; the first of a session stands for no time.
            paced_s: As for ``Presence``.
        """
        now_s = frame.captured.monotonic_ns / 1e9
        if frame.captured.boot != self._boot or now_s < self._last_s:
            self._boot = frame.captured.boot
            self._same_since_s = self._last_s = self._checked_s = self._measured_s = float("-inf")
        known, passed_s = frame.session == self._session and isfinite(self._last_s), now_s - self._last_s
        self._last_s, self._session = now_s, frame.session
        watched = known and not self._gaps.is_gap(passed_s, paced_s=paced_s)
        events: tuple[Event, ...] = ()
        measures: tuple[Measure, ...] = ()
        if frame.small is not None and now_s - self._checked_s >= _EVERY_S:
            events, measures = self._check(frame.small, frame.captured)
        doubt = any(side == 1 for side in self._clear.values())
        observes = self.state == "clear" and not doubt
        if not observes and watched:
            measures = (*measures, Measure(ANY, ANY, "blind_s", passed_s))
        return Sighting(self.state == "clear", observes, measures, events)

    def _check(self, small: Small, at: Instant) -> tuple[tuple[Event, ...], tuple[Measure, ...]]:
        now_s = at.monotonic_ns / 1e9
        signs = read_signs(small)
        self._clear = {**self._sides(signs), "frozen": self._frozen(small, now_s)}
        for trouble, side in self._clear.items():
            self._latches[trouble].see(side, now_s)
        before, self.state = self.state, next((name for name, one in self._latches.items() if one.side == 1), "clear")
        events = []
        if self.state != before:
            data = {"state": self.state, "before": before, "detail": WORDS[self.state]}
            events.append(Event("camera-sight", self._camera, at, data))
        good = self.state == "clear" and all(side == -1 for side in self._clear.values() if side)
        if good:
            self._learn(signs.sharpness, min(self._max_gap_s, now_s - self._checked_s))
        if good and self.view is not None and (change := self.view.look(small, now_s)):
            events.append(self._moved(change, at))
        self._checked_s = now_s
        return tuple(events), self._measures(signs, now_s)

    def _sides(self, signs: Signs) -> dict[str, int]:
        """Say of each trouble whether it is clearly there (1), clearly not (-1), or neither."""
        dark = _side(signs.brightest, bad_below=25, good_from=35)
        burnt = _side(-signs.burnt, bad_below=-0.6, good_from=-0.4)
        covered = _side(signs.contrast, bad_below=1.2, good_from=2.0)
        usual = self._usual_sharpness or 0.0
        blurred = _side(
            signs.sharpness,
            bad_below=max(_LEAST_SHARPNESS, _USUAL_PART * usual),
            good_from=max(1.3 * _LEAST_SHARPNESS, 1.3 * _USUAL_PART * usual),
        )
        if 1 in (dark, burnt):  # then nothing else can be told
            return {"dark": dark, "overexposed": burnt, "covered": 0, "blurred": 0}
        return {"dark": dark, "overexposed": burnt, "covered": covered, "blurred": 0 if covered == 1 else blurred}

    def _frozen(self, small: Small, now_s: float) -> int:
        if self._before is None or not np.array_equal(self._before, small):
            self._before, self._same_since_s = small, now_s
            return -1
        return 1 if now_s - self._same_since_s >= _FROZEN_S else 0

    def _learn(self, sharpness: float, passed_s: float) -> None:
        """Follow the camera's own sharpness: down within minutes, up within a day."""
        if self._usual_sharpness is None:
            self._usual_sharpness = sharpness
        time_s = _FALL_S if sharpness < self._usual_sharpness else _RISE_S
        self._usual_sharpness += min(1.0, passed_s / time_s) * (sharpness - self._usual_sharpness)

    def _measures(self, signs: Signs, now_s: float) -> tuple[Measure, ...]:
        if now_s - self._measured_s < _MEASURE_S:
            return ()
        self._measured_s = now_s
        named = {"brightness": signs.brightness, "sharpness": signs.sharpness}
        return tuple(Measure(ANY, ANY, name, value) for name, value in named.items())

    def _moved(self, change: Change, at: Instant) -> Event:
        detail = "looks elsewhere: zones and lines may be wrong" if change.moved else "looks where it did again"
        data = {"moved": change.moved, "right": change.right, "down": change.down, "detail": detail}
        return Event("camera-moved", self._camera, at, data)


def _side(value: float, *, bad_below: float, good_from: float) -> int:
    return 1 if value < bad_below else -1 if value >= good_from else 0
