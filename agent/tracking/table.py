"""The tracks that a tracker knows, one row each."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agent.tracking import kalman
from agent.tracking.kalman import Belief
from agent.types import Detections, Ids

UNMATCHED = -1


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable:
    """T tracks, oldest first."""

    belief: Belief
    track_ids: Ids  # (T,), 0 until the track is confirmed
    hits: Ids  # (T,) updates in which it was seen
    unseen_s: NDArray[np.float64]  # (T,) seconds since it was last seen, 0 when seen in the last update
    votes: NDArray[np.float64]  # (T, C) sum of the scores with which it was seen, by class
    matched: Ids  # (T,) row in the detections of the last update, UNMATCHED where it was not seen

    def __len__(self) -> int:
        """Return T."""
        return len(self.track_ids)

    @classmethod
    def born(cls, detections: Detections, rows: Ids) -> Self:
        """Return unconfirmed tracks started by these rows of the detections."""
        n = len(rows)
        classes = int(detections.class_ids.max(initial=-1)) + 1
        votes = np.zeros((n, classes))
        votes[np.arange(n), detections.class_ids[rows]] = detections.scores[rows]
        return cls(
            belief=kalman.initiate(detections.boxes[rows]),
            track_ids=np.zeros(n, np.int64),
            hits=np.ones(n, np.int64),
            unseen_s=np.zeros(n),
            votes=votes,
            matched=rows,
        )

    @property
    def confirmed(self) -> NDArray[np.bool_]:
        """Return (T,) which tracks have an id."""
        return self.track_ids > 0

    @property
    def class_ids(self) -> Ids:
        """Return (T,) the class for which each track has collected most score; of equals the lower."""
        return np.argmax(self.votes, axis=1).astype(np.int64) if len(self) else np.zeros(0, np.int64)

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return these tracks only."""
        if rows.all():
            return self
        return type(self)(
            belief=self.belief.take(rows),
            track_ids=self.track_ids[rows],
            hits=self.hits[rows],
            unseen_s=self.unseen_s[rows],
            votes=self.votes[rows],
            matched=self.matched[rows],
        )

    def followed_by(self, other: Self) -> Self:
        """Return these tracks with others below them."""
        if not len(other):
            return self
        classes = max(self.votes.shape[1], other.votes.shape[1])
        return type(self)(
            belief=self.belief.followed_by(other.belief),
            track_ids=np.concatenate([self.track_ids, other.track_ids]),
            hits=np.concatenate([self.hits, other.hits]),
            unseen_s=np.concatenate([self.unseen_s, other.unseen_s]),
            votes=np.concatenate([_widened(self.votes, classes), _widened(other.votes, classes)]),
            matched=np.concatenate([self.matched, other.matched]),
        )

    def corrected(self, matched: Ids, detections: Detections, elapsed_s: float) -> Self:
        """Return the tracks after an update.

        Args:
            matched: (T,) row of the detections in which each track was seen, UNMATCHED where it was not.
            detections: Of this update.
            elapsed_s: Seconds since the update before.
        """
        tracks = np.flatnonzero(matched != UNMATCHED)
        rows = matched[tracks]
        classes = int(detections.class_ids.max(initial=-1)) + 1
        votes = _widened(self.votes, max(self.votes.shape[1], classes))
        votes[tracks, detections.class_ids[rows]] += detections.scores[rows]
        seen = matched != UNMATCHED
        return replace(
            self,
            belief=self.belief.replaced(tracks, kalman.update(self.belief.take(tracks), detections.boxes[rows])),
            hits=self.hits + seen,
            unseen_s=np.where(seen, 0.0, self.unseen_s + elapsed_s),
            votes=votes,
            matched=matched,
        )


def _widened(votes: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Return a copy with columns for this many classes."""
    widened = np.zeros((len(votes), classes))
    widened[:, : votes.shape[1]] = votes
    return widened
