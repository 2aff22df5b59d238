"""Zones: who is in them, who came, for how long, and how fast."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from agent.analytics.chosen import chosen_classes
from agent.analytics.geometry import (
    Floats,
    Polygon,
    anchors,
    extents,
    ground_plane,
    inside_picture,
    on_ground,
    velocity,
)
from agent.analytics.latch import BAND, Latch, clear_sides
from agent.analytics.stitching import Sightings, TrackedObject, TrackStitcher
from agent.config import ZoneConfig
from agent.types import ANY, ClassCount, Event, Findings, Frame, Instant, Measure, Tracks

DWELL_S = "dwell_s"
SPEED_M_S = "speed_m_s"
LOITERING = "loitering"

_INSIDE, _OUTSIDE = 1, -1
_SETTLE_S = 1.0  # what was never clear of the edge for so long is where its anchor is
_SPEED_EVERY_S = 1.0
_SPEED_LEAST_S = 0.3  # a shorter way says more of the boxes' jitter than of the object
_CUT = 2e-3  # shares of the picture: a box this near to the border may go on beyond it
_NS_PER_S = 1e9


class ZoneAnalysis:
    """Counts what is in the zones of one camera, and measures how long it stays and how fast it goes.

    Each frame gives the row (zone, ``ANY``) of each zone, and a row of each class that is in it. ``unique`` are objects
    in the zone for the first time. When an object leaves, or is gone, ``dwell_s`` has one reading: the time watched
    from its coming to its last sighting inside. ``speed_m_s`` has one a second for each object inside, and one for an
    object that was inside for less. An object inside for ``loiter_s`` raises one alarm ``loitering`` a stay.
    """

    def __init__(self, zones: Sequence[ZoneConfig], camera: str, class_names: Sequence[str]) -> None:
        """Start before the first frame.

        Args:
            zones: What to watch.
            camera: Its name, for messages and alarms.
            class_names: Those of the model, by class index.

        Raises:
            ConfigError: A zone names a class that the model does not know.
        """
        self._zones = tuple(_Zone.of(zone, camera, tuple(class_names)) for zone in zones)
        self._stitcher = TrackStitcher()  # without patience: who came is counted at once
        self._watched_ns = 0

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:
        """Look at the next frame; see ``Analysis``. Stays are measured in the time that ``observed_ns`` adds up to."""
        self._watched_ns += observed_ns
        height, width = frame.size
        sightings = self._stitcher.observe(tracks, frame.captured, (width, height))
        scores = dict(zip(tracks.track_ids.tolist(), tracks.scores.tolist(), strict=True))
        look = _Look(frame.captured, self._watched_ns / _NS_PER_S, (width, height), sightings, scores)
        found = [zone.observe(look) for zone in self._zones]
        return Findings(
            counts=tuple(chain.from_iterable(findings.counts for findings in found)),
            measures=tuple(chain.from_iterable(findings.measures for findings in found)),
            events=tuple(chain.from_iterable(findings.events for findings in found)),
        )

    def finish(self, at: Instant) -> Findings:  # noqa: ARG002  (part of Analysis)
        """Say nothing more: what is inside has not left."""
        return Findings()


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One frame, as every zone gets it."""

    at: Instant
    watched_s: float  # since the first frame, gaps left out
    size: tuple[int, int]  # W, H
    sightings: Sightings
    scores: dict[int, float]  # by track id


@dataclass(slots=True, eq=False)
class _Stay:
    """From coming to leaving; times ending in ``watched_s`` leave gaps out."""

    since_watched_s: float
    until_watched_s: float  # last sighting inside
    speed_from_s: float  # where the way begins that no reading of speed covers yet
    has_speed: bool = False
    has_alarm: bool = False

    @property
    def dwell_s(self) -> float:
        return self.until_watched_s - self.since_watched_s


@dataclass(slots=True, eq=False)
class _Visitor:
    """What a zone knows of one object."""

    first_seen_s: float
    latch: Latch = field(default_factory=Latch)
    stay: _Stay | None = None  # while it is inside
    is_counted: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Zone:
    config: ZoneConfig
    camera: str
    class_names: tuple[str, ...]
    classes: frozenset[int]
    corners: Floats  # (E, 2) shares of the picture
    homography: Floats | None  # from shares of the picture to metres
    visitors: dict[int, _Visitor] = field(default_factory=dict)  # by the object's number

    @classmethod
    def of(cls, config: ZoneConfig, camera: str, class_names: tuple[str, ...]) -> "_Zone":
        corners = np.array(config.polygon, np.float64)
        return cls(
            config=config,
            camera=camera,
            class_names=class_names,
            classes=chosen_classes(config.classes, class_names, where=f"camera {camera}: zone {config.name}"),
            corners=corners,
            homography=ground_plane(corners, config.size_m) if config.size_m else None,
        )

    def observe(self, look: _Look) -> Findings:
        seen = [thing for thing in look.sightings.seen if thing.class_id in self.classes]
        left = list(self._updated(seen, look))
        inside = [thing for thing in seen if self.visitors[thing.number].stay]
        counts = self._counts(inside, look.scores)  # before anybody is marked as counted
        speeds = list(self._speeds(inside, look))
        for thing in look.sightings.gone:
            visitor = self.visitors.pop(thing.number, None)
            if visitor and thing.class_id in self.classes:
                left += self._left(thing, visitor)
        return Findings(counts, (*left, *speeds), tuple(self._alarms(inside, look)))

    def _updated(self, seen: list[TrackedObject], look: _Look) -> Iterator[Measure]:
        """Let objects come and leave, and return the readings of those that left."""
        for thing, (side, nominal) in zip(seen, self._sides(seen, look.size), strict=True):
            now_s = look.sightings.now_s
            visitor = self.visitors.setdefault(thing.number, _Visitor(now_s))
            visitor.latch.see(side, now_s)
            if not visitor.latch.side and now_s - visitor.first_seen_s >= _SETTLE_S:
                visitor.latch.see(nominal, now_s)
            if visitor.latch.side == _OUTSIDE:
                yield from self._left(thing, visitor)
            elif visitor.latch.side == _INSIDE and not visitor.stay:
                visitor.stay = _Stay(look.watched_s, look.watched_s, now_s)
            elif visitor.stay and not visitor.latch.changing:
                visitor.stay.until_watched_s = look.watched_s

    def _sides(self, seen: list[TrackedObject], size: tuple[int, int]) -> list[tuple[int, int]]:
        """Return for each object on which side it clearly is, 0 if on none, and on which side its anchor is."""
        if not seen:
            return []
        polygon = Polygon.in_picture(self.corners, size)
        boxes = np.stack([thing.last.box for thing in seen]) * np.tile(size, 2)
        depths, normals = polygon.depths(inside_picture(anchors(boxes, self.config.anchor), size))
        bands = np.minimum(BAND * extents(boxes, normals), polygon.thickness / 2)
        nominal = np.where(depths > 0, _INSIDE, _OUTSIDE)
        return list(zip(clear_sides(depths, bands).tolist(), nominal.tolist(), strict=True))

    def _counts(self, inside: list[TrackedObject], scores: dict[int, float]) -> tuple[ClassCount, ...]:
        """Return the row of all classes and that of each class that is there, and remember who was counted."""
        rows: dict[int, ClassCount] = {}
        everything = ClassCount(self.config.name, ANY, 0, 0, 0.0)
        for thing in inside:
            visitor = self.visitors[thing.number]
            new, visitor.is_counted = not visitor.is_counted, True
            name = self.class_names[thing.class_id]
            row = rows.get(thing.class_id, ClassCount(self.config.name, name, 0, 0, 0.0))
            rows[thing.class_id] = _with_one(row, new=new, score=scores[thing.track_id])
            everything = _with_one(everything, new=new, score=scores[thing.track_id])
        return (everything, *(rows[index] for index in sorted(rows)))

    def _alarms(self, inside: list[TrackedObject], look: _Look) -> Iterator[Event]:
        for thing in inside:
            stay = self.visitors[thing.number].stay
            if not self.config.loiter_s or not stay or stay.has_alarm or stay.dwell_s < self.config.loiter_s:
                continue
            stay.has_alarm = True
            data: dict[str, str | float] = {
                "zone": self.config.name,
                "class": self.class_names[thing.class_id],
                "track": thing.track_id,
                "dwell_s": round(stay.dwell_s, 3),
            }
            yield Event(LOITERING, self.camera, look.at, data, alarm=True)

    def _speeds(self, inside: list[TrackedObject], look: _Look) -> Iterator[Measure]:
        """Return the readings that are due."""
        for thing in inside:
            stay = self.visitors[thing.number].stay
            if self.homography is None or not stay or look.sightings.now_s - stay.speed_from_s < _SPEED_EVERY_S:
                continue
            yield from self._speed(thing, stay)
            stay.speed_from_s = look.sightings.now_s

    def _speed(self, thing: TrackedObject, stay: _Stay) -> Iterator[Measure]:
        """Return the speed since the last reading, if enough of the way was seen."""
        way = [sighting for sighting in thing.trail if sighting.at_s >= stay.speed_from_s and _is_whole(sighting.box)]
        if self.homography is None or not way or way[-1].at_s - way[0].at_s < _SPEED_LEAST_S:
            return
        boxes = np.stack([sighting.box for sighting in way])
        ground = on_ground(anchors(boxes, self.config.anchor), self.homography)
        speed_m_s = float(np.hypot(*velocity(np.array([sighting.at_s for sighting in way]), ground)))
        stay.has_speed = True
        yield self._reading(thing, SPEED_M_S, speed_m_s)
        yield replace(self._reading(thing, SPEED_M_S, speed_m_s), class_name=ANY)

    def _left(self, thing: TrackedObject, visitor: _Visitor) -> Iterator[Measure]:
        """End the stay of an object, if it has one."""
        stay, visitor.stay = visitor.stay, None
        if not stay:
            return
        yield self._reading(thing, DWELL_S, stay.dwell_s)
        yield replace(self._reading(thing, DWELL_S, stay.dwell_s), class_name=ANY)
        if not stay.has_speed:
            yield from self._speed(thing, stay)

    def _reading(self, thing: TrackedObject, name: str, value: float) -> Measure:
        return Measure(self.config.name, self.class_names[thing.class_id], name, value)


def _with_one(row: ClassCount, *, new: bool, score: float) -> ClassCount:
    return replace(row, unique=row.unique + new, present=row.present + 1, score_sum=row.score_sum + score)


def _is_whole(box: Floats) -> bool:
    """Tell whether all of a box lies in the picture: of one that is cut, the anchor is not the object's."""
    return bool((box > _CUT).all() and (box < 1 - _CUT).all())
