"""Which fruit of a row has been found: each is written down once, at its place along the row."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.analytics.row.segments import Segment
from agent.analytics.row.view import View
from agent.tracking.association import associate
from agent.tracking.iou import iou
from agent.types import Boxes, Tracks

_SAME_IOU = 0.3  # two fruit that touch have less in common; one fruit whose box trembles by a tenth has more
_STILL_IOU = 0.1  # a track that keeps less of the place of its fruit has gone over to another
_TWIN_IOU = 0.5  # two boxes at once in one place are one fruit that the detector sees double
_BELIEVED_SHARE = 0.3  # of looks: leaves hide a fruit for a part of them; what is not there flickers in a fifth
_LEARN = 0.3  # how far a place follows what is seen: fruit nearer or farther than the rest drift
_SHOWN = 0.6  # share of a fruit's width that must be in the picture for a look at it
_MOST_FRUIT = 3000
_EDGE_PX = 2.0  # a side so near the picture's is the picture's, not the fruit's


@dataclass(slots=True, eq=False)
class Fruit:
    """One fruit of a row.

    ``box`` is where it hangs, xyxy in pixels along the row. A look is a frame, after the camera has moved on, that
    shows its place: ``looks`` counts those after the one that found it, and ``sure_looks`` those of them in which the
    detector was sure of it. ``votes`` is the score that it has collected, by class.
    """

    box: NDArray[np.float64]
    votes: dict[int, float] = field(default_factory=dict)
    looks: int = 0
    sure_looks: int = 0
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

    @property
    def is_believed(self) -> bool:
        """Whether the detector was sure of it often enough: what only flickers is no fruit."""
        return self.sure_looks >= _BELIEVED_SHARE * self.looks


class Ledger:
    """Knows the fruit near the picture. A track that begins where a fruit hangs is that fruit."""

    def __init__(self, confidence: float) -> None:
        """Start with an empty book; from a score of ``confidence`` on, a sighting is a sure one."""
        self._confidence = confidence
        self.fruit: list[Fruit] = []
        self._owners: dict[int, Fruit] = {}

    def see(self, tracks: Tracks, view: View, *, is_look: bool) -> list[Fruit]:
        """Write down what a frame shows.

        Args:
            tracks: Confirmed and seen in it, boxes in its pixels.
            view: Where the frame is.
            is_look: Whether it shows more than the look before: a camera that rests sees the same again and again.

        Returns:
            The fruit that are new.
        """
        owners = self._recognised(tracks, view)
        new, sure = [], set()
        for row, owner in enumerate(owners):
            fruit = owner
            if fruit is None:
                fruit = Fruit((tracks.boxes[row] + view.corner).astype(np.float64))
                new.append(fruit)
            self._owners[int(tracks.track_ids[row])] = fruit
            _learn(fruit, tracks, row, view)
            if tracks.scores[row] >= self._confidence:
                sure.add(id(fruit))
        if is_look:
            self._note_look(sure, view)
        self.fruit += new
        return new

    def keep_within(self, distance: float, view: View) -> None:
        """Strike out the fruit that hang farther than this out of the picture, pixels along the row.

        Of more than ``_MOST_FRUIT`` the oldest go too: so many can only be flicker before a camera that stands.
        """
        near = [fruit for fruit in self.fruit if view.distance(fruit.middle, fruit.middle) <= distance][-_MOST_FRUIT:]
        if len(near) < len(self.fruit):
            self.fruit, numbers = near, {id(fruit) for fruit in near}
            self._owners = {track: fruit for track, fruit in self._owners.items() if id(fruit) in numbers}

    def _recognised(self, tracks: Tracks, view: View) -> list[Fruit | None]:
        """Return by track the fruit that it shows, None where that is new."""
        places = _in_picture(self.fruit, view)
        common = iou(tracks.boxes, places)
        rows = {id(fruit): row for row, fruit in enumerate(self.fruit)}
        owners: list[Fruit | None] = [self._owners.get(int(track)) for track in tracks.track_ids]
        for row, owner in enumerate(owners):
            if owner is not None and common[row, rows[id(owner)]] < _STILL_IOU:
                owners[row] = None
        self._pair_strangers(owners, tracks, places)
        for row, owner in enumerate(owners):  # what is left may be seen double
            if owner is None and len(places) and common[row].max() >= _TWIN_IOU:
                owners[row] = self.fruit[int(common[row].argmax())]
        return owners

    def _pair_strangers(self, owners: list[Fruit | None], tracks: Tracks, places: Boxes) -> None:
        """Give tracks without fruit the fruit without track that hang in their place."""
        strangers = np.array([row for row, owner in enumerate(owners) if owner is None], np.int64)
        taken = {id(owner) for owner in owners if owner is not None}
        free = np.array([row for row, fruit in enumerate(self.fruit) if id(fruit) not in taken], np.int64)
        for place, row in associate(places[free], tracks.boxes[strangers], min_iou=_SAME_IOU).pairs:
            owners[strangers[row]] = self.fruit[free[place]]

    def _note_look(self, sure: set[int], view: View) -> None:
        for fruit in self.fruit:
            if _is_shown(fruit, view):
                fruit.looks += 1
                fruit.sure_looks += id(fruit) in sure


def _in_picture(fruit: Sequence[Fruit], view: View) -> Boxes:
    """Return (N, 4) where each is in the picture, cut off at its edges."""
    boxes = np.array([one.box for one in fruit]).reshape(-1, 4) - view.corner
    size = np.array([view.width, view.height, view.width, view.height])
    return np.clip(boxes, 0, size).astype(np.float32)


def _is_shown(fruit: Fruit, view: View) -> bool:
    left, top, right, bottom = (fruit.box - view.corner).tolist()
    wide = min(right, view.width) - max(left, 0)
    high = min(bottom, view.height) - max(top, 0)
    return bool(wide >= _SHOWN * (right - left) and high >= _SHOWN * (bottom - top))


def _learn(fruit: Fruit, tracks: Tracks, row: int, view: View) -> None:
    """Let a fruit's place follow what was seen; of sides that the picture cuts off, only that they are farther out."""
    seen = tracks.boxes[row] + view.corner
    cut_low = tracks.boxes[row, :2] <= _EDGE_PX
    cut_high = tracks.boxes[row, 2:] >= np.array([view.width, view.height]) - _EDGE_PX
    followed = fruit.box + _LEARN * (seen - fruit.box)
    low = np.where(cut_low, np.minimum(fruit.box[:2], seen[:2]), followed[:2])
    high = np.where(cut_high, np.maximum(fruit.box[2:], seen[2:]), followed[2:])
    fruit.box = np.concatenate([low, high])
    class_id = int(tracks.class_ids[row])
    fruit.votes[class_id] = fruit.votes.get(class_id, 0.0) + float(tracks.scores[row])
