"""Counts the fruit of a row that a camera passes, each once, by tree or by metre."""

from collections.abc import Iterable, Sequence

from agent.analytics.row.band import BUNDLED, PassRecord, Tally
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

    A row runs across the picture. Each fruit is a reading of 1 of the measure ``row_fruit`` in the frame in which it is
    found. Each segment gives, when it is over, an event ``row-count`` for all classes (``ANY``) and one for each class:

    - ``segment``, from 1, and ``class``;
    - ``found``: different fruit that were found, false ones among them: the sum of ``row_fruit``;
    - ``count``: different fruit that came into the picture, estimated from those found, and its band ``low`` to
      ``high``, as ``PassRecord`` says;
    - ``visible_share`` as configured, and ``corrected``, which is ``count`` divided by it;
    - ``length_px``: what of the row was in the picture; ``length_m``, None where no scale is known.

    A camera that stands, or goes back by no more than three widths of its picture, counts nothing again. Fruit that
    are first found in a segment after its event are in ``row_fruit`` only.
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
            record: What the detector is known to find of the fruit that it passes.
        """
        self._config, self._camera, self._class_names = config, camera, tuple(class_names)
        self._confidence, self._record = confidence, record
        self._motion, self._segments = CameraMotion(), Segments(config.piece_px)
        self._begin_scene()

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:  # noqa: ARG002  the protocol's; motion alone tells how far the camera is
        """Look at the next frame.

        Raises:
            ValueError: A track has a class without a name; nothing is counted.
        """
        self._check(tracks)
        shift = self._motion.moved(frame.image, tracks.boxes)
        events = self._end_scene(frame.captured) if shift.cut else ()
        self._left, self._top = self._left - shift.right_px, self._top - shift.down_px
        view = View(self._left, self._top, frame.image.shape[1], frame.image.shape[0])
        new = self._ledger.see(tracks, view, is_look=self._is_look())
        over = self._segments.show(view, has_fruit=len(tracks) > 0)
        for fruit in new:
            fruit.segment = self._segments.at(fruit.middle)
        events += self._reports(over, frame.captured)
        self._forget_far(view)
        measures = tuple(Measure(ANY, self._class_names[fruit.class_id], "row_fruit", 1.0) for fruit in new)
        return Findings(measures=measures, events=events)

    def finish(self, at: Instant) -> Findings:
        """Report the segments that are still open, and begin another row."""
        return Findings(events=self._end_scene(at))

    def _begin_scene(self) -> None:
        self._ledger = Ledger(self._confidence)
        self._left = self._top = 0.0
        self._looked_from: tuple[float, float] | None = None

    def _end_scene(self, at: Instant) -> tuple[Event, ...]:
        events = self._reports(self._segments.end(), at)
        self._begin_scene()
        return events

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

    def _forget_far(self, view: View) -> None:
        far = [fruit for fruit in self._ledger.fruit if view.distance(fruit.middle, fruit.middle) > _REMEMBERED_PICTURES * view.width]
        for fruit in far:
            if fruit.segment is not None and not fruit.segment.is_over:
                _add(fruit.segment.gone, fruit, self._record)
        if far:
            self._ledger.forget(far)

    def _reports(self, over: Iterable[Segment], at: Instant) -> tuple[Event, ...]:
        return tuple(event for segment in over for event in self._report(segment, at))

    def _report(self, segment: Segment, at: Instant) -> list[Event]:
        tallies = dict(segment.gone)
        for fruit in self._ledger.fruit:
            if fruit.segment is segment:
                _add(tallies, fruit, self._record)
        everything = sum(tallies.values(), Tally())
        by_class = {self._class_names[class_id]: tallies[class_id] for class_id in sorted(tallies)}
        return [self._event(segment, name, tally, at) for name, tally in {ANY: everything, **by_class}.items()]

    def _event(self, segment: Segment, class_name: str, tally: Tally, at: Instant) -> Event:
        band, share, scale = self._record.band(tally), self._config.visible_share, self._config.metres_per_pixel
        data = {
            "segment": segment.number,
            "class": class_name,
            "found": tally.found,
            "count": round(band.count),
            "low": round(band.low),
            "high": round(band.high),
            "visible_share": share,
            "corrected": round(band.count / share),
            "length_px": round(segment.length),
            "length_m": None if scale is None else round(segment.length * scale, 3),
        }
        return Event("row-count", self._camera, at, data)


def _add(tallies: dict[int, Tally], fruit: Fruit, record: PassRecord) -> None:
    tallies[fruit.class_id] = tallies.get(fruit.class_id, Tally()) + record.tally(fruit.sure_share)
