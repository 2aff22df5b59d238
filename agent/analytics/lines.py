"""Lines: who went over, and in which direction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.analytics.chosen import chosen_classes
from agent.analytics.geometry import Floats, Segment, anchors, extents
from agent.analytics.latch import BAND, Latch, clear_sides
from agent.analytics.stitching import Sightings, TrackedObject, TrackStitcher
from agent.config import Anchor, LineConfig
from agent.types import ANY, Findings, Frame, Instant, Measure, Tracks

CROSSED_IN = "crossed_in"
CROSSED_OUT = "crossed_out"


_PATIENCE_S = 0.6  # until then a new track shows where it came from


class LineAnalysis:
    """Counts the objects that cross the lines of one camera.

    Each crossing is a reading of 1 of ``crossed_in`` or ``crossed_out``, with the line's name as its zone, once for the
    object's class and once for ``ANY``. ``in`` is from the left to the right of the line as one goes along it in the
    picture: over a line drawn from left to right, downwards.
    """

    def __init__(self, lines: Sequence[LineConfig], camera: str, class_names: Sequence[str]) -> None:
        """Start before the first frame.

        Args:
            lines: What to watch.
            camera: Its name, for messages.
            class_names: Those of the model, by class index.

        Raises:
            ConfigError: A line names a class that the model does not know.
        """
        names = tuple(class_names)
        self._lines = tuple(
            _Line(
                line.name,
                np.array(line.points, np.float64),
                line.anchor,
                chosen_classes(line.classes, names, where=f"camera {camera}: line {line.name}"),
                names,
            )
            for line in lines
        )
        self._stitcher = TrackStitcher(patience_s=_PATIENCE_S)

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:  # noqa: ARG002  # of Analysis
        """Count what crossed a line up to this frame; see ``Analysis``."""
        height, width = frame.size
        size = (width, height)
        sightings = self._stitcher.observe(tracks, frame.captured, size)
        return Findings(measures=tuple(found for line in self._lines for found in line.observe(sightings, size)))

    def finish(self, at: Instant) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Say nothing more: what has not crossed has not crossed."""
        return Findings()


@dataclass(slots=True, eq=False)
class _Passage:
    """What a line knows of one object."""

    latch: Latch = field(default_factory=Latch)
    clear_at: Floats = field(default_factory=lambda: np.zeros(2))  # shares; where it last was clearly on latch.side


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    name: str
    points: Floats  # (2, 2) shares of the picture
    anchor: Anchor
    classes: frozenset[int]
    class_names: tuple[str, ...]
    passages: dict[int, _Passage] = field(default_factory=dict)  # by the object's number

    def observe(self, sightings: Sightings, size: tuple[int, int]) -> Iterator[Measure]:
        for number in sightings.merged:
            self.passages.pop(number, None)
        segment = Segment(*(self.points * size))
        seen = [thing for thing in sightings.seen if thing.class_id in self.classes]
        if seen:
            yield from self._crossings(seen, sightings.now_s, segment, size)
        for thing in sightings.gone:
            passage = self.passages.pop(thing.number, None)
            # Seen on the other side once, and never again: nothing has shown that to be a slip.
            if passage and passage.latch.changing and thing.class_id in self.classes:
                yield from self._crossed(thing, segment, passage.clear_at * size, self._place(thing) * size)

    def _crossings(
        self, seen: list[TrackedObject], now_s: float, segment: Segment, size: tuple[int, int]
    ) -> Iterator[Measure]:
        boxes = np.stack([thing.last.box for thing in seen]) * np.tile(size, 2)
        points = anchors(boxes, self.anchor)
        sides = clear_sides(segment.right_of(points), BAND * extents(boxes, segment.normal))
        for thing, point, side in zip(seen, points, sides.tolist(), strict=True):
            passage = self.passages.setdefault(thing.number, _Passage())
            known = passage.latch.side
            if passage.latch.see(side, now_s) and known:
                yield from self._crossed(thing, segment, passage.clear_at * size, point)
            if side and side == passage.latch.side:
                passage.clear_at = point / size

    def _place(self, thing: TrackedObject) -> Floats:
        return anchors(thing.last.box[np.newaxis], self.anchor).ravel()

    def _crossed(self, thing: TrackedObject, segment: Segment, before: Floats, after: Floats) -> Iterator[Measure]:
        if not segment.is_crossed(before, after):
            return
        name = CROSSED_IN if segment.right_of(after[np.newaxis])[0] > 0 else CROSSED_OUT
        yield Measure(self.name, self.class_names[thing.class_id], name, 1.0)
        yield Measure(self.name, ANY, name, 1.0)
