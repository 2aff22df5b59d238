"""Notices that a camera looks elsewhere than it did."""

from dataclasses import dataclass
from math import hypot

from agent.analytics.latch import Latch
from agent.analytics.sight.reference import Reference, register
from agent.types import Small

_EVERY_S = 10.0
_FOUND = 0.3  # a match from here on says how far the view has shifted
_LOST = 0.12  # one below this says that it is another view, or one turned by 10 degrees
_MOVED = 0.02  # of the longer side: 25 pixels of 1280, about the error of a person who draws a zone
_IN_PLACE = 0.01
_MOVED_HOLD_S = 30.0
_LOST_HOLD_S = 600.0  # an evening, a headlight or a lorry in front hides a view for less
_RENEW_S = 3600.0
_ADOPT_S = 86_400.0  # a camera that stays where it was moved to has its view there


@dataclass(frozen=True, slots=True)
class Change:
    """The view has moved, or is back in place. The shift is in shares of the longer side; None: not found any more."""

    moved: bool
    right: float | None
    down: float | None


class View:
    """Compares what a camera sees with where it looked first, each ten seconds while it sees well."""

    def __init__(self, reference: Reference | None = None) -> None:
        """Start from what was stored, or from the first good picture."""
        self.reference = reference
        self._shifted = Latch(side=-1, hold_s=_MOVED_HOLD_S)
        self._lost = Latch(side=-1, hold_s=_LOST_HOLD_S)
        self._looked_s = self._renewed_s = self._moved_s = float("-inf")

    @property
    def moved(self) -> bool:
        """Whether it looks elsewhere."""
        return self._shifted.side == 1 or self._lost.side == 1

    def look(self, small: Small, now_s: float) -> Change | None:
        """Look at a picture that shows something; return what has changed, if anything."""
        if now_s - self._looked_s < _EVERY_S:
            return None
        self._looked_s = now_s
        if self.reference is None or self.reference.small.shape != small.shape:
            self.reference, self._renewed_s = Reference(small), now_s
            return None
        return self._compare(self.reference, small, now_s)

    def _compare(self, reference: Reference, small: Small, now_s: float) -> Change | None:
        found = register(reference.small, small)
        right, down = reference.right + found.right, reference.down + found.down
        away = hypot(right, down) / max(small.shape)
        before = self.moved
        self._lost.see(1 if found.match < _LOST else -1 if found.match >= _FOUND else 0, now_s)
        if found.match >= _FOUND:
            self._shifted.see(1 if away >= _MOVED else -1 if away < _IN_PLACE else 0, now_s)
            if not self.moved and now_s - self._renewed_s >= _RENEW_S:
                self.reference, self._renewed_s = Reference(small, right, down), now_s
        if self.moved and not before:
            self._moved_s = now_s
        elif self.moved and now_s - self._moved_s >= _ADOPT_S:
            self._adopt(small, now_s)
        if self.moved is before:
            return None
        shift = (right / max(small.shape), down / max(small.shape)) if found.match >= _FOUND else (None, None)
        return Change(self.moved, *shift)

    def _adopt(self, small: Small, now_s: float) -> None:
        self.reference, self._renewed_s = Reference(small), now_s
        self._shifted = Latch(side=-1, hold_s=_MOVED_HOLD_S)
        self._lost = Latch(side=-1, hold_s=_LOST_HOLD_S)
