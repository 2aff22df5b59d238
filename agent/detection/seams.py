"""One list of detections from those of overlapping tiles: each object once, also where a border of a tile cuts it.

Three cases. An object that two tiles see whole comes twice: the better box stays. One that a tile sees whole, and
another in part, comes with a fragment: the fragment goes. One that no tile sees whole comes in fragments only, which
face each other across the seam: they are joined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.types import Boxes, Detections, Ids

_SAME_IOU = 0.5  # of boxes of two tiles: one object
_COVERED = 0.6  # of a fragment's area by a box that is whole: a part of it
_WITHIN = 0.9  # of a fragment's area by another fragment: of the same object
_ALIGNED = 0.5  # IoU of two fragments along the seam
_TOUCHES = 0.01  # of a tile's side: so near to its border a box is taken to be cut by it

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a frame, in its pixels."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    boxes: Boxes
    scores: NDArray[np.float32]
    class_ids: Ids
    tile: Ids  # which saw it
    cut: Mask  # (N, 4): left, top, right, bottom side is cut by its tile's border

    def __getitem__(self, rows: Mask | Ids) -> "_Parts":
        return _Parts(self.boxes[rows], self.scores[rows], self.class_ids[rows], self.tile[rows], self.cut[rows])


def join_tiles(found: Sequence[Detections], tiles: Sequence[Tile], *, height: int, width: int) -> Detections:
    """Merge what was found in the tiles of a frame.

    Args:
        found: By tile, boxes in pixels of the frame.
        tiles: As many, overlapping.
        height: Of the frame, pixels.
        width: Of the frame, pixels.

    Returns:
        Detections in pixels of the frame, best score first; within a tile nothing is merged.
    """
    parts = _gather(found, tiles, height, width)
    at_seam = _at_seam(parts, tiles)  # the rest no other tile can have seen: most of them, and pairs cost by the square
    merged, rest = _once(_joined(_without_covered(parts[at_seam]))), parts[~at_seam]
    boxes = np.concatenate([merged.boxes, rest.boxes])
    scores = np.concatenate([merged.scores, rest.scores])
    class_ids = np.concatenate([merged.class_ids, rest.class_ids])
    best_first = np.argsort(-scores, kind="stable")
    return Detections(boxes[best_first], scores[best_first], class_ids[best_first])


def _at_seam(parts: _Parts, tiles: Sequence[Tile]) -> Mask:
    """Tell which boxes reach into another tile than their own."""
    boxes = parts.boxes
    reach = np.zeros(len(boxes), int)
    for tile in tiles:
        across = (boxes[:, 0] < tile.right) & (boxes[:, 2] > tile.left)
        reach += across & (boxes[:, 1] < tile.bottom) & (boxes[:, 3] > tile.top)
    return np.asarray(reach > 1)


def _gather(found: Sequence[Detections], tiles: Sequence[Tile], height: int, width: int) -> _Parts:
    cuts = [_cut(each.boxes, tile, height, width) for each, tile in zip(found, tiles, strict=True)]
    return _Parts(
        np.concatenate([each.boxes for each in found]),
        np.concatenate([each.scores for each in found]),
        np.concatenate([each.class_ids for each in found]),
        np.repeat(np.arange(len(found)), [len(each) for each in found]),
        np.concatenate(cuts),
    )


def _cut(boxes: Boxes, tile: Tile, height: int, width: int) -> Mask:
    """Tell which sides of boxes lie at a border of their tile that is none of the frame's."""
    border = np.array([tile.left, tile.top, tile.right, tile.bottom], np.float32)
    near = np.array([tile.right - tile.left, tile.bottom - tile.top] * 2) * _TOUCHES
    inner = np.array([tile.left > 0, tile.top > 0, tile.right < width, tile.bottom < height])
    return np.asarray((np.abs(boxes - border) <= np.maximum(near, 2.0)) & inner)


def _overlaps(parts: _Parts) -> tuple[NDArray[np.float32], NDArray[np.float32], Mask]:
    """Return, for each pair, the shared area, the IoU, and whether they may be one object: one class, two tiles."""
    boxes = parts.boxes
    upper = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    lower = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(lower - upper, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    related = (parts.class_ids[:, None] == parts.class_ids[None]) & (parts.tile[:, None] != parts.tile[None])
    return shared, shared / (area[:, None] + area[None] - shared), related


def _without_covered(parts: _Parts) -> _Parts:
    """Leave out fragments of objects that another tile sees whole."""
    shared, _, related = _overlaps(parts)
    fragment: Mask = np.asarray(parts.cut.any(axis=1))
    area = (parts.boxes[:, 2:] - parts.boxes[:, :2]).prod(axis=1)
    covered = related & ~fragment[None] & (shared >= _COVERED * area[:, None])
    return parts[~(fragment & covered.any(axis=1))]


def _joined(parts: _Parts) -> _Parts:
    """Replace fragments that face each other across a seam, or lie in each other, by one box around them."""
    if not parts.cut.any():
        return parts
    shared, _, related = _overlaps(parts)
    area = (parts.boxes[:, 2:] - parts.boxes[:, :2]).prod(axis=1)
    fragment: Mask = np.asarray(parts.cut.any(axis=1))
    within = fragment[:, None] & fragment[None] & (shared >= _WITHIN * area[:, None])
    pairs: Mask = related & (within | _facing(parts, 0) | _facing(parts, 1))
    pairs |= pairs.T
    group = _groups(pairs)
    names, first, sizes = np.unique(group, return_index=True, return_counts=True)
    if (sizes == 1).all():
        return parts
    boxes, scores = parts.boxes[first], parts.scores[first]
    cut = parts.cut[first]
    for row, name in enumerate(names):
        if sizes[row] > 1:
            members = group == name
            own = parts.boxes[members]
            boxes[row] = [*own[:, :2].min(axis=0), *own[:, 2:].max(axis=0)]
            scores[row] = parts.scores[members].max()
            cut[row] = False
    return _Parts(boxes, scores, parts.class_ids[first], parts.tile[first], cut)


def _facing(parts: _Parts, axis: int) -> Mask:
    """Tell of which pairs the first ends at a border, beyond which the second, cut there, goes on; and both align."""
    boxes, other = parts.boxes, 1 - axis
    begins, ends = boxes[:, axis], boxes[:, axis + 2]
    upper = np.maximum(boxes[:, None, other], boxes[None, :, other])
    lower = np.minimum(boxes[:, None, other + 2], boxes[None, :, other + 2])
    length = boxes[:, other + 2] - boxes[:, other]
    shared = np.clip(lower - upper, 0, None)
    aligned = shared >= _ALIGNED * (length[:, None] + length[None] - shared)
    meets = (begins[:, None] < begins[None]) & (ends[:, None] >= begins[None]) & (ends[:, None] <= ends[None])
    return np.asarray(parts.cut[:, None, axis + 2] & parts.cut[None, :, axis] & aligned & meets)


def _groups(pairs: Mask) -> Ids:
    """Number the connected groups of a symmetric relation by their first member."""
    group = np.arange(len(pairs))
    while True:
        least = np.where(pairs, group[None], len(pairs)).min(axis=1, initial=len(pairs))
        smaller = np.minimum(group, least)
        if np.array_equal(smaller, group):
            return group
        group = smaller


def _once(parts: _Parts) -> _Parts:
    """Keep of each object that several tiles see the best box, whole ones before fragments."""
    _, iou, related = _overlaps(parts)
    rivals = related & (iou > _SAME_IOU)
    kept = np.ones(len(parts.scores), bool)
    for row in np.lexsort((-parts.scores, parts.cut.any(axis=1))):
        if kept[row]:
            kept &= ~rivals[row]
    return parts[kept]
