"""Objects that outlive their track ids.

A tracker gives an object a new id when it was hidden for too long, or came out where nobody expected it. What follows
an object over an edge must not start anew with the id.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from agent.analytics.geometry import Floats, distance_between, velocity
from agent.types import Instant, Tracks

_GONE_S = 4.0  # more than a tracker remembers what it does not see
_GONE_FRAMES = 4  # the same for a slow camera
_TRAIL_S = 1.5
_TRAIL_LEAST = 4  # sightings that are kept however old
_TRAIL_MOST = 60  # and at most, at any frame rate
_REACH = 0.5  # of its sides' mean: so far from where it should be, an object may come out
_VELOCITY_LEAST = 3  # sightings
_SURELY_MISSED = 2  # frames; detectors miss what is there in one, now and then
_ALIKE = 1.5  # sides of one object before and after differ by less than this factor
_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """Where an object was seen: box (4,) xyxy as shares of the picture, whose size may change."""

    at_s: float
    box: Floats


@dataclass(slots=True, eq=False)
class TrackedObject:
    """One object under one track id after the other; to be read only, except by its stitcher."""

    number: int  # counted from 1, of one stitcher's objects
    track_id: int  # its last; a tracker may give up an id and later come back to it
    class_id: int
    born_s: float  # first seen
    trail: deque[Sighting] = field(default_factory=lambda: deque(maxlen=_TRAIL_MOST))  # oldest first, never empty
    frames_missed: int = 0  # up to now, in a row

    @property
    def last(self) -> Sighting:
        """Return when and where it was last seen."""
        return self.trail[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """What one frame shows: the object of each track, row by row, and what became of others.

    ``merged``: numbers of objects that turned out to be older ones; from this frame on they are seen under the older
    one's number. ``gone``: objects that will not come back.
    """

    now_s: float  # since the first frame, never runs back
    seen: tuple[TrackedObject, ...]
    merged: tuple[int, ...]
    gone: tuple[TrackedObject, ...]


class TrackStitcher:
    """Gives a new track to the object that vanished where it comes from.

    An object lost for 4 s, and that many frames, is gone; so memory is bounded by the objects of a few seconds. Before
    that a new track may be the same object, if class and size are alike, and the way on which the object was going when
    it was lost comes within half its size of the way on which the new track came. Each way ends at its last sighting at
    one end, and at the other where its velocity leads in the time between the two: an object may have slowed down,
    stood, or set out again while nobody saw it. A track that was seen only once came on no way: it is where it is.
    """

    def __init__(self, *, patience_s: float = 0.0) -> None:
        """Start without objects.

        Args:
            patience_s: How long after its first sighting a track may turn out to be an older object. With 0, that is
                decided at once, and only by where it is; more finds more, but what was counted meanwhile is counted.
        """
        self._patience_s = patience_s
        self._objects: dict[int, TrackedObject] = {}  # by last track id
        self._last_number = 0
        self._now_ns = 0  # whole, so that ten tenths of a second are one
        self._last_at: Instant | None = None

    def observe(self, tracks: Tracks, at: Instant, size: tuple[int, int]) -> Sightings:
        """Take in the tracks of the next frame, of a picture of (W, H) pixels."""
        self._advance(at)
        track_ids = tracks.track_ids.tolist()
        boxes = tracks.boxes.astype(np.float64) / np.tile(size, 2)
        for track_id, class_id, box in zip(track_ids, tracks.class_ids.tolist(), boxes, strict=True):
            self._extend(track_id, class_id, box)
        seen = set(track_ids)
        lost = [known for track_id, known in self._objects.items() if track_id not in seen]
        for known in lost:
            known.frames_missed += 1
        merged = self._merge(track_ids, lost, np.asarray(size, np.float64))
        return Sightings(self._now_s, tuple(self._objects[track_id] for track_id in track_ids), merged, self._part())

    def _advance(self, at: Instant) -> None:
        last, self._last_at = self._last_at, at
        if last is not None and last.boot == at.boot:
            self._now_ns += max(0, at.monotonic_ns - last.monotonic_ns)

    @property
    def _now_s(self) -> float:
        return self._now_ns / _NS_PER_S

    def _extend(self, track_id: int, class_id: int, box: Floats) -> None:
        if track_id not in self._objects:
            self._last_number += 1
            self._objects[track_id] = TrackedObject(self._last_number, track_id, class_id, self._now_s)
        known = self._objects[track_id]
        known.class_id, known.frames_missed = class_id, 0
        trail = known.trail
        trail.append(Sighting(self._now_s, box))
        while len(trail) > _TRAIL_LEAST and self._now_s - trail[0].at_s > _TRAIL_S:
            trail.popleft()

    def _merge(self, track_ids: list[int], lost: list[TrackedObject], size: Floats) -> tuple[int, ...]:
        """Give young tracks to the lost objects that fit, best fit first; return the numbers that are given up."""
        seen = (self._objects[track_id] for track_id in track_ids)
        young = [known for known in seen if self._now_s - known.born_s <= self._patience_s]
        fits = sorted(
            ((misfit, new, old) for new in young for old in lost if (misfit := _misfit(old, new, size)) <= _REACH),
            key=lambda fit: (fit[0], fit[1].number, fit[2].number),
        )
        merged: list[int] = []
        for _, new, old in fits:
            if self._objects[new.track_id] is new and old.frames_missed:  # neither is part of a better fit
                self._objects[new.track_id] = self._objects.pop(old.track_id)
                old.track_id, old.frames_missed = new.track_id, 0
                old.trail.extend(new.trail)
                merged.append(new.number)
        return tuple(merged)

    def _part(self) -> tuple[TrackedObject, ...]:
        """Forget what is gone, and return it."""
        gone = [
            known
            for known in self._objects.values()
            if known.frames_missed >= _GONE_FRAMES and self._now_s - known.last.at_s >= _GONE_S
        ]
        for known in gone:
            del self._objects[known.track_id]
        return tuple(gone)


def _misfit(old: TrackedObject, new: TrackedObject, size: Floats) -> float:
    """Return how far the ways of a lost object and of a new one stay apart, in sides of the object.

    Returns:
        The distance by the mean side of the lost one; infinite where they cannot be one object.
    """
    if old.class_id != new.class_id or old.frames_missed < _SURELY_MISSED or old.last.at_s >= new.born_s:
        return float("inf")
    last, first = old.last.box.reshape(2, 2) * size, new.trail[0].box.reshape(2, 2) * size
    sides_before, sides_after = last[1] - last[0], first[1] - first[0]
    if (np.abs(np.log(sides_after / sides_before)) > np.log(_ALIKE)).any():
        return float("inf")
    unseen_s = new.born_s - old.last.at_s
    went_on = _velocity(old) * size * unseen_s
    came = _velocity(new) * size * unseen_s
    left, found = last.mean(axis=0), first.mean(axis=0)
    return distance_between(left, left + went_on, found, found - came) / float(sides_before.mean())


def _velocity(known: TrackedObject) -> Floats:
    """Return shares of the picture a second, (2,); none where too little was seen."""
    if len(known.trail) < _VELOCITY_LEAST:
        return np.zeros(2)
    times_s = np.array([sighting.at_s for sighting in known.trail])
    if times_s[-1] == times_s[0]:
        return np.zeros(2)
    return velocity(times_s, np.array([sighting.box.reshape(2, 2).mean(axis=0) for sighting in known.trail]))
