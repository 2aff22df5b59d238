"""Counts the fruit of a row that a camera passes, each once, by tree or by metre."""

from collections.abc import Iterable, Sequence

from agent.analytics.row.band import BUNDLED, PassRecord
from agent.analytics.row.ledger import Fruit, Ledger
from agent.analytics.row.motion import CameraMotion
from agent.analytics.row.segments import Segment, Segments
from agent.analytics.row.view import View
from agent.config import RowConfig
from agent.types import ANY, Event, Findings, Frame, Instant, Measure, Tracks

_REMEMBERED_PICTURES = 3.0  # fruit so many widths of the picture away are forgotten
_LOOK_PX = 4.0  # of movement make another look


class RowCount:
    """Counts the row of one moving camera. Implements ``Analysis``; ``finish`` gives the last segments.

    A row runs across the picture. Each fruit is a reading of 1 of the measure ``row_fruit``, once, when it leaves the
    picture, provided that the detector was sure of it often enough. Each segment gives, when it is over, an event
    ``row-count`` for all classes (``ANY``) and one for each class:

    - ``segment``, from 1, and ``class``;
    - ``found``: different fruit that were found, false ones among them: the readings of ``row_fruit``;
    - ``count``: different fruit that came into the picture, estimated from those found, to a tenth so that many short
      pieces add up; its band ``low`` to ``high`` holds the truth nine times of ten where the detector does as its
      ``PassRecord`` says;
    - ``visible_share`` as configured, and ``corrected``, which is ``count`` divided by it;
    - ``length_px``: what of the row was in the picture; ``length_m``, None where no scale is known.

    A camera that stands, or goes back by less than three widths of its picture, counts nothing again. Fruit that are
    first found in a segment after its event are in ``row_fruit`` only.
    """

    def __init__(
        self,
        config: RowConfig,
        camera: str,
        class_names: Sequence[str],
        *,
        confidence: float = 0.25,
        record: PassRecord = BUNDLED,
    ) -> None:
        """Start before the first frame.

        Args:
            config: How to divide the row.
            camera: Name for the events.
            class_names: By class index.
            confidence: Score from which a sighting is a sure one; the tracker's ``track_high_thresh``.
            record: What the detector is known to find of the fruit that it passes. ``PassRecord()`` for one of which
                nothing is known: then ``count`` is ``found``.
        """
        self._config, self._camera, self._class_names = config, camera, tuple(class_names)
        self._confidence, self._record = confidence, record
        self._motion, self._segments = CameraMotion(), Segments(config.piece_px)
        self._ledger = Ledger(confidence)
        self._left = self._top = 0.0
        self._looked_from: tuple[float, float] | None = None

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:  # noqa: ARG002  Analysis' own; motion says how far it went
        """Look at the next frame.

        Raises:
            ValueError: A track has a class without a name; nothing is counted.
        """
        self._check(tracks)
        shift = self._motion.moved(frame.image, tracks.boxes)
        ended = self.finish(frame.captured) if shift.cut else Findings()
        self._left, self._top = self._left - shift.right_px, self._top - shift.down_px
        view = View(self._left, self._top, frame.image.shape[1], frame.image.shape[0])
        new = self._ledger.see(tracks, view, is_look=self._is_look())
        passed = self._count(fruit for fruit in self._ledger.fruit if view.distance(fruit.box[0], fruit.box[2]) > 0)
        over = self._segments.show(view, has_fruit=len(tracks) > 0)
        for fruit in new:
            fruit.segment = self._segments.at(fruit.middle)
        self._ledger.keep_within(_REMEMBERED_PICTURES * view.width, view)
        return Findings(measures=ended.measures + passed, events=ended.events + self._reports(over, frame.captured))

    def finish(self, at: Instant) -> Findings:
        """Count what is in the picture, report the segments that are still open, and begin another row."""
        measures = self._count(self._ledger.fruit)
        events = self._reports(self._segments.end(), at)
        self._ledger = Ledger(self._confidence)
        self._left = self._top = 0.0
        self._looked_from = None
        return Findings(measures=measures, events=events)

    def _check(self, tracks: Tracks) -> None:
        odd = tracks.class_ids[(tracks.class_ids < 0) | (tracks.class_ids >= len(self._class_names))]
        if len(odd):
            raise ValueError(f"class index: found {odd[0]}; allowed: 0 to {len(self._class_names) - 1}")

    def _is_look(self) -> bool:
        """Tell whether the camera has moved since the last look."""
        if self._looked_from is not None:
            right, down = self._left - self._looked_from[0], self._top - self._looked_from[1]
            if max(abs(right), abs(down)) < _LOOK_PX:
                return False
        self._looked_from = self._left, self._top
        return True

    def _count(self, gone_by: Iterable[Fruit]) -> tuple[Measure, ...]:
        """Count those that are believed and were not counted before."""
        counted = [fruit for fruit in gone_by if fruit.is_believed and not fruit.is_counted]
        for fruit in counted:
            fruit.is_counted = True
            if fruit.segment is not None:
                fruit.segment.found[fruit.class_id] += 1
        return tuple(Measure(ANY, self._class_names[fruit.class_id], "row_fruit", 1.0) for fruit in counted)

    def _reports(self, over: Iterable[Segment], at: Instant) -> tuple[Event, ...]:
        return tuple(event for segment in over for event in self._report(segment, at))

    def _report(self, segment: Segment, at: Instant) -> list[Event]:
        by_class = {self._class_names[class_id]: found for class_id, found in sorted(segment.found.items())}
        rows = {ANY: segment.found.total(), **by_class}
        return [self._event(segment, class_name, found, at) for class_name, found in rows.items()]

    def _event(self, segment: Segment, class_name: str, found: int, at: Instant) -> Event:
        band, share, scale = self._record.band(found), self._config.visible_share, self._config.metres_per_pixel
        data: dict[str, str | int | float | bool | None] = {
            "segment": segment.number,
            "class": class_name,
            "found": found,
            "count": round(band.count, 1),
            "low": round(band.low, 1),
            "high": round(band.high, 1),
            "visible_share": share,
            "corrected": round(band.count / share, 1),
            "length_px": round(segment.length),
            "length_m": None if scale is None else round(segment.length * scale, 3),
        }
        return Event("row-count", self._camera, at, data)
