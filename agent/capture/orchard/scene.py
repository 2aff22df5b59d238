"""The simulated orchard: any frame of an endless row of fruit trees that passes the camera, and its truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.capture.orchard.scenery import Scenery
from agent.capture.orchard.spec import MIXED, OrchardSpec
from agent.capture.orchard.species import SPECIES, Species
from agent.capture.orchard.sprites import lay
from agent.capture.orchard.trees import Nursery, Tree
from agent.types import Boxes, Ids, Image

_IDS_PER_TREE = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The N fruit of which a part may be seen in one frame.

    ``boxes`` (N, 4) are those of the whole fruit, hidden parts included, cut off at the edge of the frame. ``ids``
    (N,) name a fruit for as long as the orchard exists. ``visible`` (N,) float32 is the share of the whole fruit's
    pixels that the frame shows, in [0, 1].
    """

    boxes: Boxes
    ids: Ids
    class_ids: Ids
    visible: NDArray[np.float32]


class Orchard:
    """Draws frames by their number, in any order. The same spec gives the same pixels. Not for several threads."""

    def __init__(self, spec: OrchardSpec) -> None:
        """Draw what all frames share; takes about half a second."""
        self.spec = spec
        self._scenery = Scenery(spec.seed, spec.width, spec.height)
        kinds = tuple(SPECIES.values()) if spec.fruit == MIXED else (SPECIES[spec.fruit],)
        self._nurseries = tuple(Nursery(spec.seed, kind, spec.height) for kind in kinds)
        self._pitch = self._nurseries[0].pitch
        self._trees: dict[int, Tree] = {}

    @property
    def species(self) -> tuple[Species, ...]:
        """What grows here."""
        return tuple(nursery.species for nursery in self._nurseries)

    def frame(self, index: int) -> Image:
        """Return frame ``index`` from 0, (height, width, 3) BGR."""
        picture = np.empty((self.spec.height, self.spec.width, 3), np.uint8)
        time_s = index / self.spec.fps
        self._scenery.paint(picture, self._travelled(index))
        for _, left, tree in self._in_view(index):
            lay(picture, tree.crown, left, 0)
            for twig in tree.twigs:
                x, y = twig.at(time_s)
                lay(picture, twig.sprite, left + x, y)
        self._scenery.light(picture, time_s)
        self._scenery.grain(picture, index)
        return picture

    def truth(self, index: int) -> Truth:
        """Return what frame ``index`` shows."""
        parts = [self._tree_truth(number, left, tree, index) for number, left, tree in self._in_view(index)]
        return Truth(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.class_ids for part in parts]),
            np.concatenate([part.visible for part in parts]),
        )

    def _travelled(self, index: int) -> int:
        return round(index * self.spec.speed / self.spec.fps)

    def _in_view(self, index: int) -> list[tuple[int, int, Tree]]:
        """Return the trees in a frame from left to right: number, left edge in the frame, tree."""
        travelled = self._travelled(index)
        numbers = range(travelled // self._pitch, (travelled + self.spec.width - 1) // self._pitch + 1)
        for gone in self._trees.keys() - set(numbers):
            del self._trees[gone]
        for number in numbers:
            if number not in self._trees:
                self._trees[number] = self._nurseries[number % len(self._nurseries)].grow(number)
        return [(number, number * self._pitch - travelled, self._trees[number]) for number in numbers]

    def _tree_truth(self, number: int, left: int, tree: Tree, index: int) -> Truth:
        size = np.array([self.spec.width, self.spec.height] * 2, np.float32)
        boxes = np.clip(tree.boxes + np.array([left, 0, left, 0], np.float32), 0, size)
        visible = self._visible(left, tree, index / self.spec.fps)
        shown = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        ids = number * _IDS_PER_TREE + np.arange(len(boxes), dtype=np.int64)
        class_ids = np.full(len(boxes), tree.species.class_id, np.int64)
        return Truth(boxes[shown], ids[shown], class_ids[shown], visible[shown])

    def _visible(self, left: int, tree: Tree, time_s: float) -> NDArray[np.float32]:
        """Return the share of each fruit of a tree that neither leaf nor frame hides now."""
        height, width = tree.crown.keep.shape[:2]
        clear = np.zeros((height, width), bool)
        clear[: self.spec.height, max(0, -left) : max(0, self.spec.width - left)] = True
        for twig in tree.twigs:
            x, y = twig.at(time_s)
            part = twig.sprite.solid[max(0, -y) :, max(0, -x) :]
            area = clear[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]]
            area &= ~part[: area.shape[0], : area.shape[1]]
        counts = [
            int((mask & clear[y0:y1, x0:x1]).sum())
            for mask, (x0, y0, x1, y1) in zip(tree.uncovered, tree.boxes.astype(int).tolist(), strict=True)
        ]
        return (np.array(counts, np.float32) / np.maximum(tree.areas, 1)).astype(np.float32)
