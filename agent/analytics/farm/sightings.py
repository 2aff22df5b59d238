"""What was seen of each fruit while it was in view, so that a fruit gives one reading and not one a frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.types import Boxes, Ids, Instant

_NS_PER_S = 1e9
_GONE_FRAMES = 4  # a slow camera may miss a fruit this many times, whatever the seconds: longer than the tracker's own


@dataclass(frozen=True, slots=True)
class Seen:
    """A fruit of which enough was seen, or which left: its class index and the reading of each of its views."""

    class_id: int
    views: tuple[float, ...]


@dataclass(slots=True)
class _Fruit:
    class_id: int
    seen_ns: int
    seen_frame: int
    viewed_ns: int | None = None
    views: list[float] = field(default_factory=list)
    told: bool = False


class Sightings:
    """Collects views of tracks and hands each track over once, when it has enough of them or leaves.

    Call ``look`` once a frame, then ``add`` for the tracks that it asked for and that show well, then ``take``.
    Bounded: when there are more fruit than ``capacity``, the one not seen for longest is handed over early.
    """

    def __init__(self, *, enough: int = 12, every_s: float = 0.2, gone_s: float = 3.0, capacity: int = 2000) -> None:
        """Start before the first frame.

        Args:
            enough: Views of a fruit after which no more are taken.
            every_s: Views of one fruit are at least so far apart, so that they differ.
            gone_s: A fruit not seen for longer than this has left. Longer than the tracker remembers a lost track.
            capacity: Fruit to remember at most.
        """
        self._enough = enough
        self._every_ns = round(every_s * _NS_PER_S)
        self._gone_ns = round(gone_s * _NS_PER_S)
        self._capacity = capacity
        self._fruit: dict[int, _Fruit] = {}  # by track id, the one not seen for longest first
        self._done: list[Seen] = []
        self._last_at: Instant | None = None
        self._now_ns = 0  # time passed in this object's life: goes on over a new boot
        self._frame = 0

    def __len__(self) -> int:
        """Return how many fruit are remembered."""
        return len(self._fruit)

    def look(self, track_ids: Ids, class_ids: Ids, at: Instant) -> NDArray[np.bool_]:
        """Note which tracks are in the next frame; return (N,) which of them need another view."""
        self._pass_time(at)
        self._frame += 1
        wanted = [
            self._wants(self._see(track_id, class_id))
            for track_id, class_id in zip(track_ids.tolist(), class_ids.tolist(), strict=True)
        ]
        self._let_go()
        return np.array(wanted, np.bool_)

    def add(self, track_id: int, reading: float) -> None:
        """Keep a reading of a track that ``look`` has just seen."""
        fruit = self._fruit[track_id]
        fruit.views.append(reading)
        fruit.viewed_ns = self._now_ns
        if len(fruit.views) >= self._enough:
            self._tell(fruit)

    def take(self) -> Sequence[Seen]:
        """Return the fruit that are done since the last call, without those that never showed well."""
        done, self._done = self._done, []
        return done

    def _pass_time(self, at: Instant) -> None:
        last, self._last_at = self._last_at, at
        if last is not None and last.boot == at.boot:
            self._now_ns += max(0, at.monotonic_ns - last.monotonic_ns)

    def _see(self, track_id: int, class_id: int) -> _Fruit:
        fruit = self._fruit.pop(track_id, None) or _Fruit(class_id, self._now_ns, self._frame)
        self._fruit[track_id] = fruit
        fruit.seen_ns, fruit.seen_frame = self._now_ns, self._frame
        if fruit.class_id != class_id:  # what was read was read as another fruit
            fruit.class_id = class_id
            fruit.views.clear()
        return fruit

    def _wants(self, fruit: _Fruit) -> bool:
        rested = fruit.viewed_ns is None or self._now_ns - fruit.viewed_ns >= self._every_ns
        return not fruit.told and rested

    def _let_go(self) -> None:
        for track_id, fruit in list(self._fruit.items()):
            if len(self._fruit) <= self._capacity and not self._has_left(fruit):
                return
            del self._fruit[track_id]
            self._tell(fruit)

    def _has_left(self, fruit: _Fruit) -> bool:
        return self._now_ns - fruit.seen_ns > self._gone_ns and self._frame - fruit.seen_frame >= _GONE_FRAMES

    def _tell(self, fruit: _Fruit) -> None:
        if fruit.views:
            self._done.append(Seen(fruit.class_id, tuple(fruit.views)))
        fruit.told = True
        fruit.views.clear()


def inside(boxes: Boxes, *, width: int, height: int, least_px: float = 8.0) -> NDArray[np.bool_]:
    """Return (N,) which boxes are fruit in full view: clear of the picture's border, and at least so large.

    A box is clear of the border if it ends two pixels from it or more: the box of a fruit that the border cuts off ends
    there.
    """
    near = 2.0
    clear = (boxes[:, 0] >= near) & (boxes[:, 1] >= near)
    clear &= (boxes[:, 2] <= width - near) & (boxes[:, 3] <= height - near)
    large = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) >= least_px
    return np.asarray(clear & large, np.bool_)
