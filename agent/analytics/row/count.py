"""Counts the fruit of a row that a camera passes, each once, by tree or by metre."""

from collections.abc import Iterable, Mapping, Sequence

from agent.analytics.row.band import BUNDLED, Band, PassRecord
from agent.analytics.row.ledger import Fruit, Ledger
from agent.analytics.row.motion import CameraMotion
from agent.analytics.row.segments import Segment, Segments
from agent.analytics.row.view import View
from agent.config import RowConfig
from agent.types import ANY, Detections, Event, Findings, Frame, Instant, Measure

_Scalar = str | int | float | bool | None

_REMEMBERED_PICTURES = 3.0  # fruit so many widths of the picture away are forgotten


class RowCount:
    """Counts the row of one moving camera; ``finish`` gives the last segments.

    It works on detections rather than tracks: the way of the camera is measured, so each fruit has a place, and weak
    detections in one place add up. A row runs across the picture. Each fruit is a reading of 1 of the measure
    ``row_fruit``, once, when it leaves the picture, provided that the detector was sure enough of it. Each segment
    gives, when it is over, an event ``row-count`` for all classes (``ANY``) and one for each class:

    - ``segment``, from 1, and ``class``;
    - ``found``: different fruit that were found, false ones among them: the readings of ``row_fruit``;
    - ``count``: different fruit that came into the picture, estimated from those found, to a tenth so that many short
      pieces add up; its band ``low`` to ``high`` holds the truth nine times of ten where the detector does as its
      ``PassRecord`` says;
    - ``visible_share`` as configured, and ``corrected``, which is ``count`` divided by it;
    - ``length_px``: what of the row was in the picture; ``length_m``, None where no scale is known.

    So that windows add up, the same is in the measures ``row_count`` and ``row_count_variance``, one reading a segment:
    the band of many segments is the total of the one, more or less 1.645 times the root of the total of the other.

    A camera that stands, or goes back by less than three widths of its picture, counts nothing again. Fruit that are
    first found in a segment after its event are in ``row_fruit`` only.
    """

    def __init__(
        self,
        config: RowConfig,
        camera: str,
        class_names: Sequence[str],
        *,
        record: PassRecord = BUNDLED,
    ) -> None:
        """Start before the first frame.

        Args:
            config: How to divide the row.
            camera: Name for the events.
            class_names: By class index.
            record: What the detector is known to find of the fruit that it passes, and from which score on a detection
                is a sure one. ``PassRecord()`` for one of which nothing is known: then ``count`` is ``found``.
        """
        self._config, self._camera, self._class_names = config, camera, tuple(class_names)
        self._record = record
        self._motion, self._segments = CameraMotion(), Segments(config.piece_px)
        self._ledger = Ledger(record.confidence)
        self._left = self._top = 0.0

    def observe(self, frame: Frame, detections: Detections) -> Findings:
        """Look at the next frame.

        Args:
            frame: The picture and when it was taken.
            detections: In it, down to a score of 0.1: where they are weak in each frame, their number tells.

        Raises:
            ValueError: A detection has a class without a name; nothing is counted.
        """
        self._check(detections)
        sure = detections.boxes[detections.scores >= self._record.confidence]
        shift = self._motion.moved(frame.image, sure)
        ended = self.finish(frame.captured) if shift.cut else Findings()
        self._left, self._top = self._left - shift.right_px, self._top - shift.down_px
        height, width = frame.size
        view = View(self._left, self._top, width, height)
        self._ledger.see(detections, view)
        fruit = self._ledger.fruit
        gone_by = [one for one in fruit if view.distance(one.box[0], one.box[2]) > 0]
        over = self._segments.show(view, has_fruit=len(fruit) > len(gone_by))
        for one in fruit:
            if one.segment is None:
                one.segment = self._segments.at(one.middle)
                one.segment.show(one.found_in)
        passed = self._count(gone_by)
        self._ledger.keep_within(_REMEMBERED_PICTURES * view.width, view)
        told = self._reports(over, frame.captured)
        return Findings(measures=(*ended.measures, *passed, *told.measures), events=ended.events + told.events)

    def finish(self, at: Instant) -> Findings:
        """Count what is in the picture, report the segments that are still open, and begin another row."""
        measures = self._count(self._ledger.fruit)
        told = self._reports(self._segments.end(), at)
        self._ledger = Ledger(self._record.confidence)
        self._left = self._top = 0.0
        return Findings(measures=measures + told.measures, events=told.events)

    def _check(self, detections: Detections) -> None:
        odd = detections.class_ids[(detections.class_ids < 0) | (detections.class_ids >= len(self._class_names))]
        if len(odd):
            raise ValueError(f"class index: found {odd[0]}; allowed: 0 to {len(self._class_names) - 1}")

    def _count(self, gone_by: Iterable[Fruit]) -> tuple[Measure, ...]:
        """Count those that were not counted before."""
        counted = [fruit for fruit in gone_by if not fruit.is_counted]
        for fruit in counted:
            fruit.is_counted = True
            if fruit.segment is not None:
                fruit.segment.found[fruit.class_id] += 1
        return tuple(Measure(ANY, self._class_names[fruit.class_id], "row_fruit", 1.0) for fruit in counted)

    def _reports(self, over: Iterable[Segment], at: Instant) -> Findings:
        """Say of each segment and class what was found and what that means."""
        measures: list[Measure] = []
        events: list[Event] = []
        for segment in over:
            by_class = {self._class_names[class_id]: found for class_id, found in sorted(segment.found.items())}
            for class_name, found in {ANY: segment.found.total(), **by_class}.items():
                band = self._record.band(found)
                measures.append(Measure(ANY, class_name, "row_count", band.count))
                measures.append(Measure(ANY, class_name, "row_count_variance", band.variance))
                events.append(Event("row-count", self._camera, at, self._report(segment, class_name, found, band)))
        return Findings(measures=tuple(measures), events=tuple(events))

    def _report(self, segment: Segment, class_name: str, found: int, band: Band) -> Mapping[str, _Scalar]:
        share, scale = self._config.visible_share, self._config.metres_per_pixel
        return {
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
