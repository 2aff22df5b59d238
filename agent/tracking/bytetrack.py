"""ByteTrack: every detection counts, the unsure ones too.

Source: Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box, ECCV 2022 (arXiv:2110.06864).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agent.tracking import kalman
from agent.tracking.association import associate
from agent.tracking.iou import iou
from agent.tracking.params import TrackerParams
from agent.tracking.shared_motion import shared_shift
from agent.tracking.table import UNMATCHED, TrackTable
from agent.types import Boxes, Detections, Ids, Instant, Tracks

_SECOND_MIN_IOU = 0.5  # the reference's: low scores must lie well on the track
_UNCONFIRMED_MIN_IOU = 0.3  # the reference's, of IoU * score
_TWIN_IOU = 0.85  # the reference's: a lost and a seen track in one place are one object
_LEAST_SIDE_PX = 0.01  # below this a box has no area
_FARTHEST_PX = 1e6  # no frame is this large; keeps float32 areas finite
_MOST_CLASSES = 10_000  # a track keeps a number for each class up to the highest seen
_NS_PER_S = 1e9


class ByteTrack:
    """Follows the objects of one camera from frame to frame; ids start at 1 and are never used again.

    Not safe to share between threads or cameras.
    """

    def __init__(self, params: TrackerParams | None = None) -> None:
        """Start without tracks."""
        self._params = params or TrackerParams()
        self._tracks = TrackTable.born(Detections.none(), np.zeros(0, np.int64))
        self._last_id = 0
        self._last_at: Instant | None = None
        self._last_boxes: Boxes = Detections.none().boxes

    def update(self, detections: Detections, at: Instant) -> Tracks:
        """Take in the detections of the next frame.

        Boxes without area are ignored. Whatever time has passed, each track gets one chance to be seen again before it
        is forgotten, so that what stands still is not counted again after a camera was away.

        Args:
            detections: N boxes in source-frame pixels, in any order; N may be 0.
            at: When the frame was taken. Only monotonic time counts: frames that were dropped before are made up for
                by longer predictions. Another boot, or time that stands still or runs back, counts as one nominal
                frame.

        Returns:
            The confirmed tracks seen in this frame, oldest first. Boxes and scores are of their detections; the class
            is the one for which the track has collected most score, so that one odd frame does not change it.

        Raises:
            ValueError: A box or score is not finite, a box is absurdly far away, or a class index is out of range; the
                tracker is unchanged.
        """
        if not (len(self._tracks) or len(detections)):  # most frames of a still scene: they cost nothing
            self._last_at, self._last_boxes = at, detections.boxes
            return Tracks.none()
        _check(detections)
        elapsed_s = self._elapsed_s(at)
        high, low = self._split(detections)
        tracks = self._predicted(detections.boxes[high], elapsed_s)
        matched = self._match(tracks, detections, high, low)
        newborn = self._newborn(detections, high, matched)
        tracks = tracks.corrected(matched, detections, elapsed_s)
        tracks = tracks.take(self._worth_keeping(tracks))
        tracks = tracks.take(~_twins(tracks))
        tracks = tracks.followed_by(TrackTable.born(detections, newborn))
        fresh = ~tracks.confirmed & (tracks.hits >= self._params.min_hits)
        self._tracks = replace(tracks, track_ids=self._named(tracks.track_ids, fresh))
        self._last_at, self._last_boxes = at, detections.boxes[high]
        return _report(self._tracks, detections, fresh)

    def _elapsed_s(self, at: Instant) -> float:
        """Return seconds since the last update; the nominal interval where the clock cannot tell."""
        last = self._last_at
        if last is None or last.boot != at.boot or at.monotonic_ns <= last.monotonic_ns:
            return self._params.frame_interval_s
        return (at.monotonic_ns - last.monotonic_ns) / _NS_PER_S

    def _split(self, detections: Detections) -> tuple[Ids, Ids]:
        """Return the rows of the sure and of the unsure detections."""
        scores, params = detections.scores, self._params
        solid = (detections.boxes[:, 2:] - detections.boxes[:, :2] >= _LEAST_SIDE_PX).all(axis=1)
        high = scores >= params.track_high_thresh
        low = (scores > params.track_low_thresh) & ~high
        return np.flatnonzero(solid & high), np.flatnonzero(solid & low)

    def _predicted(self, boxes: Boxes, elapsed_s: float) -> TrackTable:
        """Return the tracks as they should look in this frame, whose sure detections are ``boxes``.

        A track seen once has no velocity of its own yet: it takes that of the picture, when the picture has one. A lost
        one keeps its size, as in the reference. Nothing is predicted further than a track may be lost.
        """
        tracks, params = self._tracks, self._params
        steps = min(elapsed_s, params.max_lost_s) / params.frame_interval_s
        velocity = tracks.belief.velocity.copy()
        velocity[tracks.unseen_s > 0, 3] = 0
        young = tracks.hits == 1
        if young.any() and (shift := shared_shift(self._last_boxes, boxes)):
            velocity[young, :2] = np.divide(shift, steps)
        return replace(tracks, belief=kalman.predict(replace(tracks.belief, velocity=velocity), steps))

    def _match(self, tracks: TrackTable, detections: Detections, high: Ids, low: Ids) -> Ids:
        """Return for each track the row of its detection, or UNMATCHED: ByteTrack's three associations."""
        matched = np.full(len(tracks), UNMATCHED, np.int64)
        confirmed, seen_last = tracks.confirmed, tracks.unseen_s == 0
        same_class = tracks.class_ids[:, np.newaxis] == detections.class_ids
        boxes = tracks.belief.boxes()

        def pair(candidates: NDArray[np.bool_], rows: Ids, min_iou: float, *, fused: bool) -> Ids:
            chosen = np.flatnonzero(candidates & (matched == UNMATCHED))
            if not (len(chosen) and len(rows)):
                return rows
            found = associate(
                boxes[chosen],
                detections.boxes[rows],
                min_iou=min_iou,
                scores=detections.scores[rows] if fused else None,
                same_class=same_class[np.ix_(chosen, rows)],
            )
            matched[chosen[found.pairs[:, 0]]] = rows[found.pairs[:, 1]]
            return rows[found.lone_detections]

        left = pair(confirmed, high, 1 - self._params.match_thresh, fused=True)
        pair(confirmed & seen_last, low, _SECOND_MIN_IOU, fused=False)
        pair(~confirmed, left, _UNCONFIRMED_MIN_IOU, fused=True)
        return matched

    def _newborn(self, detections: Detections, high: Ids, matched: Ids) -> Ids:
        """Return the rows of the detections that start a track."""
        free = np.ones(len(detections), np.bool_)
        free[matched[matched != UNMATCHED]] = False
        return high[free[high] & (detections.scores[high] >= self._params.new_track_thresh)]

    def _worth_keeping(self, tracks: TrackTable) -> NDArray[np.bool_]:
        seen = tracks.matched != UNMATCHED
        return np.asarray(seen | (tracks.confirmed & (tracks.unseen_s <= self._params.max_lost_s)))

    def _named(self, track_ids: Ids, fresh: NDArray[np.bool_]) -> Ids:
        """Return the ids with the next ones given to the fresh tracks."""
        named = track_ids.copy()
        named[fresh] = np.arange(self._last_id + 1, self._last_id + 1 + fresh.sum())
        self._last_id += int(fresh.sum())
        return named


def _check(detections: Detections) -> None:
    if not (np.abs(detections.boxes) <= _FARTHEST_PX).all():
        raise ValueError(f"detections: a box is not finite, or further than {_FARTHEST_PX:.0f} pixels away")
    if not np.isfinite(detections.scores).all():
        raise ValueError("detections: a score is not finite")
    odd = detections.class_ids[(detections.class_ids < 0) | (detections.class_ids >= _MOST_CLASSES)]
    if len(odd):
        raise ValueError(f"detections: found class index {odd[0]}; allowed: 0 to {_MOST_CLASSES - 1}")


def _twins(tracks: TrackTable) -> NDArray[np.bool_]:
    """Return which tracks to drop, because a lost and a seen one lie in one place: of the two, the one seen less."""
    seen = tracks.matched != UNMATCHED
    seen_rows, lost_rows = np.flatnonzero(seen), np.flatnonzero(~seen)
    if not (len(seen_rows) and len(lost_rows)):
        return np.zeros(len(tracks), np.bool_)
    boxes = tracks.belief.boxes()
    pairs = np.argwhere(iou(boxes[seen_rows], boxes[lost_rows]) > _TWIN_IOU)
    first, second = seen_rows[pairs[:, 0]], lost_rows[pairs[:, 1]]
    twins = np.zeros(len(tracks), np.bool_)
    twins[np.where(tracks.hits[first] > tracks.hits[second], second, first)] = True
    return twins


def _report(tracks: TrackTable, detections: Detections, fresh: NDArray[np.bool_]) -> Tracks:
    rows = np.flatnonzero(tracks.confirmed & (tracks.matched != UNMATCHED))
    seen = tracks.matched[rows]
    return Tracks(
        track_ids=tracks.track_ids[rows],
        boxes=detections.boxes[seen],
        scores=detections.scores[seen],
        class_ids=tracks.class_ids[rows],
        fresh=fresh[rows],
    )
