"""How a row is divided: into trees or into pieces of one length."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.analytics.row.view import View

_FINISHED_PICTURES = 1.0  # a piece is finished when it is so many widths of the picture away
_KEPT_PICTURES = 4.0  # and is not known any more so far away; more than fruit are remembered for
_BARE_PICTURES = 1.0  # after so much without fruit comes another tree


@dataclass(slots=True, eq=False)
class Segment:
    """A tree or a piece of the row, from ``start`` to ``end`` along it, in pixels; infinite where nobody knows.

    ``seen_from`` to ``seen_to`` is what of it has been in the picture. ``found`` counts its fruit by class.
    """

    number: int
    start: float = -math.inf
    end: float = math.inf
    seen_from: float = math.inf
    seen_to: float = -math.inf
    is_over: bool = False
    found: Counter[int] = field(default_factory=Counter)

    @property
    def length(self) -> float:
        """What of it has been in the picture, pixels along the row."""
        return max(0.0, self.seen_to - self.seen_from)

    def show(self, view: View) -> None:
        """Note what the picture shows of it."""
        self.seen_from = min(self.seen_from, max(view.left, self.start))
        self.seen_to = max(self.seen_to, min(view.right, self.end))


class Segments:
    """The segments near the picture, numbered from 1 in the order in which they come into it."""

    def __init__(self, piece_px: float | None) -> None:
        """Start before the first picture.

        Args:
            piece_px: Length of a piece. None: by tree, where a tree ends when the scene is cut, or when a whole picture
                of the row goes by without fruit.
        """
        self._piece_px = piece_px
        self._last_number = 0
        self._near: dict[int, Segment] = {}
        self._fruit_seen_at: float | None = None

    def at(self, place: float) -> Segment:
        """Return the segment of a place along the row."""
        if self._piece_px is None:
            return self._known(0, -math.inf, math.inf)
        key = math.floor(place / self._piece_px)
        return self._known(key, key * self._piece_px, (key + 1) * self._piece_px)

    def show(self, view: View, *, has_fruit: bool) -> list[Segment]:
        """Note where the picture is; return the segments that are over because of it."""
        if self._piece_px is None:
            return self._show_tree(view, has_fruit=has_fruit)
        for key in range(math.floor(view.left / self._piece_px), math.ceil(view.right / self._piece_px)):
            self._known(key, key * self._piece_px, (key + 1) * self._piece_px).show(view)
        away = {key: view.distance(near.start, near.end) / view.width for key, near in self._near.items()}
        over = _closed(self._near[key] for key, pictures in away.items() if pictures > _FINISHED_PICTURES)
        self._near = {key: near for key, near in self._near.items() if away[key] <= _KEPT_PICTURES}
        return over

    def end(self) -> list[Segment]:
        """Begin another row; return the segments that are over."""
        over = _closed(self._near.values())
        self._near, self._fruit_seen_at = {}, None
        return over

    def _show_tree(self, view: View, *, has_fruit: bool) -> list[Segment]:
        if has_fruit:
            self._fruit_seen_at = view.left
        if self._fruit_seen_at is None:
            return []
        if abs(view.left - self._fruit_seen_at) > _BARE_PICTURES * view.width:
            return self.end()
        self.at(view.left).show(view)
        return []

    def _known(self, key: int, start: float, end: float) -> Segment:
        if key not in self._near:
            self._last_number += 1
            self._near[key] = Segment(self._last_number, start, end)
        return self._near[key]


def _closed(segments: Iterable[Segment]) -> list[Segment]:
    """Return those that were not over yet, and now are, by number."""
    fresh = sorted((segment for segment in segments if not segment.is_over), key=lambda segment: segment.number)
    for segment in fresh:
        segment.is_over = True
    return fresh
