"""Which fruit of a row has been found: each is written down once, at its place along the row."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.analytics.row.segments import Segment
from agent.analytics.row.view import View
from agent.tracking.association import associate
from agent.tracking.iou import iou
from agent.types import Boxes, Detections, Ids

_SAME_IOU = 0.3  # two fruit that touch have less in common; one fruit whose box trembles by a tenth has more
_TWIN_IOU = 0.5  # two boxes at once in one place are one fruit that the detector sees double
_LEARN = 0.3  # how far a place follows what is seen: fruit nearer or farther than the rest drift
_SHOWN = 0.6  # share of a fruit's sides that must be in the picture for a look at it
_LATELY = 1 / 6  # weight of the newest look in what was seen lately
_CLEAR = 1.6  # times the confidence: the mean score of a fruit that is seen well, when leaves let it
_LEAST_HITS = 2  # what was seen once may be anything
_CLEAR_HITS = 3  # what was clear for a while was so more than twice: two false alarms may meet
_FADED = 0.01  # what was seen so little lately is forgotten, unless it is a fruit
_MOST_FRUIT = 3000
_EDGE_PX = 2.0  # a side so near the picture's is the picture's, not the fruit's


@dataclass(slots=True, eq=False)
class Fruit:
    """What may be one fruit of a row.

    ``box`` is where it hangs, xyxy in pixels along the row, ``found_in`` the picture that showed it first. A look is a
    frame that shows its place; ``hits`` of the ``looks`` had a detection there, whose scores add up to ``score_sum``.
    ``lately`` is the moving mean of the scores, 0 where there was no detection, which begins at 0 and in which the
    newest weighs a sixth; ``best`` is the most it ever was. ``votes`` is the score collected, by class.
    """

    box: NDArray[np.float64]
    found_in: View
    votes: dict[int, float] = field(default_factory=dict)
    looks: int = 0
    hits: int = 0
    score_sum: float = 0.0
    lately: float = 0.0
    best: float = 0.0
    segment: Segment | None = None
    is_counted: bool = False

    @property
    def class_id(self) -> int:
        """The class with most score so far; of equals the lower."""
        return max(sorted(self.votes), key=self.votes.__getitem__)

    @property
    def middle(self) -> float:
        """Its place along the row, pixels."""
        return float(self.box[0] + self.box[2]) / 2

    def look(self, score: float) -> None:
        """Note a look at its place: the score of the detection there, or 0.

        Source of ``lately``: geometric moving average, Roberts, Technometrics 1(3), 1959, 239-250.
        """
        self.looks += 1
        self.hits += score > 0
        self.score_sum += score
        self.lately += _LATELY * (score - self.lately)
        self.best = max(self.best, self.lately)

    def is_believed(self, confidence: float) -> bool:
        """Tell whether it is a fruit.

        Either its mean score over all looks is sure; or it was, for a while, and its detections are clear ones: then
        something hides it for the rest of the pass. What flickers is neither.
        """
        if self.hits < _LEAST_HITS:
            return False
        is_steady = self.score_sum >= confidence * self.looks
        is_clear = self.score_sum >= _CLEAR * confidence * self.hits
        return is_steady or (is_clear and self.hits >= _CLEAR_HITS and self.best >= confidence)


class Ledger:
    """Knows the fruit near the picture, and what may turn out to be some."""

    def __init__(self, confidence: float) -> None:
        """Start with an empty book; from a score of ``confidence`` on, a detection is a sure one."""
        self._confidence = confidence
        self._entries: list[Fruit] = []

    @property
    def fruit(self) -> list[Fruit]:
        """Return those that are believed, oldest first."""
        return [fruit for fruit in self._entries if fruit.is_believed(self._confidence)]

    def see(self, detections: Detections, view: View) -> None:
        """Write down what a frame shows.

        Args:
            detections: The weak ones too: what is weak in every look is a fruit as well as what is strong in some.
            view: Where the frame is.
        """
        rows = _single(detections)
        boxes, scores = detections.boxes[rows], detections.scores[rows]
        places, shown = _in_picture(self._entries, view)
        found = associate(places, boxes, min_iou=_SAME_IOU)
        hits = dict(found.pairs.tolist())
        for number in np.flatnonzero(shown).tolist():
            if number not in hits:
                self._entries[number].look(0.0)
        for number, row in hits.items():
            self._entries[number].look(float(scores[row]))
            _learn(self._entries[number], detections, int(rows[row]), view)
        self._entries += [_entry(detections, int(rows[row]), view) for row in found.lone_detections]

    def keep_within(self, distance: float, view: View) -> None:
        """Strike out what hangs farther than this out of the picture, pixels along the row, and what was never believed
        and has faded.

        Of more than ``_MOST_FRUIT`` the oldest go too: so many can only be flicker before a camera that stands.
        """
        near = [fruit for fruit in self._entries if view.distance(fruit.middle, fruit.middle) <= distance]
        kept = [one for one in near if one.is_counted or one.lately >= _FADED or one.is_believed(self._confidence)]
        self._entries = kept[-_MOST_FRUIT:]


def _single(detections: Detections) -> Ids:
    """Return the rows of the detections, best first, without those that lie on a better one."""
    common = iou(detections.boxes, detections.boxes)
    kept: list[int] = []
    for row in np.argsort(-detections.scores, kind="stable").tolist():
        if not kept or common[row, kept].max() < _TWIN_IOU:
            kept.append(row)
    return np.array(kept, np.int64)


def _entry(detections: Detections, row: int, view: View) -> Fruit:
    score = float(detections.scores[row])
    fruit = Fruit(detections.boxes[row] + view.corner, view, {int(detections.class_ids[row]): score})
    fruit.look(score)
    return fruit


def _in_picture(fruit: Sequence[Fruit], view: View) -> tuple[Boxes, NDArray[np.bool_]]:
    """Return (N, 4) where each is in the picture, cut off at its edges; and (N,) whether enough of it is there."""
    boxes = np.array([one.box for one in fruit]).reshape(-1, 4) - view.corner
    cut = np.clip(boxes, 0, np.array([view.width, view.height, view.width, view.height]))
    shown = (cut[:, 2:] - cut[:, :2] >= _SHOWN * (boxes[:, 2:] - boxes[:, :2])).all(axis=1)
    return cut.astype(np.float32), np.asarray(shown, np.bool_)


def _learn(fruit: Fruit, detections: Detections, row: int, view: View) -> None:
    """Let a fruit's place follow what was seen; of sides that the picture cuts off, only that they are farther out."""
    box = detections.boxes[row]
    seen = box + view.corner
    cut_low = box[:2] <= _EDGE_PX
    cut_high = box[2:] >= np.array([view.width, view.height]) - _EDGE_PX
    followed = fruit.box + _LEARN * (seen - fruit.box)
    low = np.where(cut_low, np.minimum(fruit.box[:2], seen[:2]), followed[:2])
    high = np.where(cut_high, np.maximum(fruit.box[2:], seen[2:]), followed[2:])
    fruit.box = np.concatenate([low, high])
    class_id = int(detections.class_ids[row])
    fruit.votes[class_id] = fruit.votes.get(class_id, 0.0) + float(detections.scores[row])
