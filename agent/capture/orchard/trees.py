"""Drawn fruit trees, each with its truth."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.capture.orchard.fruits import draw_fruit
from agent.capture.orchard.leaves import draw_leaves, draw_twigs
from agent.capture.orchard.species import Species
from agent.capture.orchard.sprites import Bgr, Plane, Sprite, as_image, noise, stack, with_shadow
from agent.types import Boxes, Image

PITCH_PX = 760
"""From one tree to the next, pixels of a picture 720 lines high."""

_BARK: Bgr = (70, 84, 98)


@dataclass(frozen=True, slots=True, eq=False)
class Twig:
    """A twig before the crown that the wind moves: where it hangs, and how it swings."""

    sprite: Sprite
    x: int
    y: int
    swing_px: tuple[float, float]  # along x and y
    period_s: float
    phase: float

    def at(self, time_s: float) -> tuple[int, int]:
        """Return its top left at a time, in pixels of the tree's tile."""
        swing = np.sin(2 * np.pi * time_s / self.period_s + self.phase)
        return self.x + round(self.swing_px[0] * swing), self.y + round(self.swing_px[1] * swing)


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """One tree on a tile that is as wide as the distance to the next.

    ``boxes`` are the F whole fruit, hidden parts included, in pixels of the tile. ``areas`` (F,) counts each one's
    pixels; ``uncovered`` holds for each the mask, as large as its box, of what no fixed leaf or fruit hides.
    """

    species: Species
    crown: Sprite
    twigs: tuple[Twig, ...]
    boxes: Boxes
    areas: NDArray[np.int64]
    uncovered: tuple[NDArray[np.bool_], ...]


class Nursery:
    """Grows the trees of one species. The same seed and number give the same tree."""

    def __init__(self, seed: int, species: Species, height: int) -> None:
        """Draw the leaves, twigs and fruit that the trees are put together from; ``height`` is the picture's."""
        self._seed, self.species, self._height = seed, species, height
        self._scale = height / 720
        rng = np.random.default_rng([seed, species.class_id, 1])
        self._far = draw_leaves(rng, species, count=48, size=0.65 * self._scale, light=0.42)
        self._middle = self._shaded(draw_leaves(rng, species, count=48, size=0.85 * self._scale, light=0.72))
        near = draw_leaves(rng, species, count=48, size=self._scale, light=1.05)
        self._near = self._shaded(near)
        twigs = draw_twigs(rng, near, count=24, length=species.leaf_px[1] * 1.1 * self._scale)
        self._twigs = self._shaded([_softened(twig) for twig in twigs])
        self._fruit = draw_fruit(rng, species, count=48, size=self._scale)

    @property
    def pitch(self) -> int:
        """Width of a tree's tile, pixels."""
        return round(PITCH_PX * self._scale)

    def grow(self, number: int) -> Tree:
        """Draw one tree of the row; ``number`` counts from 0."""
        rng = np.random.default_rng([self._seed, self.species.class_id, 2, number])
        crown = Sprite.empty(self.pitch, self._height)
        shape = _Crown(rng, self.pitch, self._height)
        self._scatter(rng, crown, shape, self._far, self.species.leaves)
        stack(crown, self._wood(rng, shape), 0, 0)
        self._scatter(rng, crown, shape, self._middle, self.species.leaves)
        owner = np.full((self._height, self.pitch), -1, np.int32)
        hung = self._hang(rng, crown, shape, owner)
        self._cover(rng, crown, shape, hung, owner)
        _dapple(rng, crown)
        boxes, areas, uncovered = _truth(hung, owner)
        twigs = tuple(self._twig(rng, shape) for _ in range(self.species.twigs))
        return Tree(self.species, _softened(crown), twigs, boxes, areas, uncovered)

    def _shaded(self, sprites: list[Sprite]) -> list[Sprite]:
        return [with_shadow(sprite, 0.4, 4.5 * self._scale) for sprite in sprites]

    def _scatter(self, rng: Generator, crown: Sprite, shape: "_Crown", leaves: list[Sprite], count: int) -> None:
        for _ in range(count):
            leaf = leaves[rng.integers(len(leaves))]
            stack(crown, leaf, *shape.place(rng, leaf))

    def _wood(self, rng: Generator, shape: "_Crown") -> Sprite:
        """Draw a trunk, and a branch to each part of the crown."""
        wood = Sprite.empty(self.pitch, self._height)
        foot = np.array([self.pitch / 2 + rng.normal(0, 20) * self._scale, self._height * 1.02])
        top = np.array([foot[0] + rng.normal(0, 30) * self._scale, self._height * 0.2])
        trunk = _bent(rng, foot, top, 14 * self._scale)
        for x, y, _ in shape.clumps:
            start = trunk[rng.integers(len(trunk) // 4, len(trunk))]
            _limb(wood, _bent(rng, start, np.array([x, y]), 16 * self._scale), 13 * self._scale, 3 * self._scale)
        _limb(wood, trunk, 46 * self._scale, 14 * self._scale)
        grain = cv2.GaussianBlur(noise(rng, wood.keep.shape[:2], 3), (0, 0), 0.8, sigmaY=7 * self._scale)
        wood.colour[:] = as_image(wood.colour * (1 + 0.5 * grain[..., None]))
        return wood

    def _hang(self, rng: Generator, crown: Sprite, shape: "_Crown", owner: NDArray[np.int32]) -> list["_Hung"]:
        """Hang fruit in bunches that overlap at most a little."""
        hung: list[_Hung] = []
        wanted = int(rng.integers(*self.species.fruit_count))
        for _ in range(60 * wanted):
            if len(hung) >= wanted:
                break
            fruit = self._fruit[rng.integers(len(self._fruit))]
            knot = np.array(shape.place(rng, fruit), float)
            for _ in range(int(rng.integers(1, self.species.bunch + 1))):
                x, y = (knot + rng.normal(0, 0.55 * fruit.size[0], 2)).astype(int).tolist()
                if shape.holds(fruit, x, y) and all(other.apart(fruit, x, y) for other in hung):
                    self._stem(rng, crown, fruit, x, y)
                    stack(crown, fruit, x, y)
                    hung.append(_Hung(fruit, x, y))
                    _paint(owner, fruit, x, y, len(hung) - 1)
                fruit = self._fruit[rng.integers(len(self._fruit))]
        return hung

    def _stem(self, rng: Generator, crown: Sprite, fruit: Sprite, x: int, y: int) -> None:
        width, height = fruit.size
        start = (x + width // 2, y + height // 10)
        end = (int(start[0] + rng.normal(0, 0.3) * width), int(start[1] - self.species.stem * height))
        green = (50, 130, 110) if self.species.stem > 1 else (50, 70, 80)
        for part, ink in ((crown.colour, green), (crown.keep, (0, 0, 0))):
            cv2.line(part, start, end, ink, max(1, round(0.05 * width)), cv2.LINE_AA)

    def _cover(
        self, rng: Generator, crown: Sprite, shape: "_Crown", hung: list["_Hung"], owner: NDArray[np.int32]
    ) -> None:
        """Lay leaves over the crown and about the stems of the fruit."""
        places = [(leaf, shape.place(rng, leaf)) for leaf in self._picked(rng, self.species.twigs * 2)]
        for fruit in hung:
            width, height = fruit.sprite.size
            for leaf in self._picked(rng, int(rng.integers(0, 3))):
                x = fruit.x + width / 2 + rng.normal(0, width * 0.5) - leaf.size[0] / 2
                y = fruit.y - height * rng.uniform(-0.15, 0.35) - leaf.size[1] / 2
                places.append((leaf, shape.inside(leaf, int(x), int(y))))
        for leaf, (x, y) in places:
            stack(crown, leaf, x, y)
            _paint(owner, leaf, x, y, -1)

    def _picked(self, rng: Generator, count: int) -> list[Sprite]:
        return [self._near[i] for i in rng.integers(len(self._near), size=count)]

    def _twig(self, rng: Generator, shape: "_Crown") -> Twig:
        sprite = self._twigs[rng.integers(len(self._twigs))]
        x, y = shape.place(rng, sprite)
        swing = rng.uniform(1.0, 4.0) * self._scale
        return Twig(sprite, x, y, (swing, swing * 0.4), rng.uniform(1.8, 4.0), rng.uniform(0, 2 * np.pi))


@dataclass(frozen=True, slots=True, eq=False)
class _Hung:
    """One fruit on its tree, top left at (x, y)."""

    sprite: Sprite
    x: int
    y: int

    def apart(self, sprite: Sprite, x: int, y: int) -> bool:
        """Whether another would not hide more than the edge of this one."""
        width, height = (self.sprite.size[0] + sprite.size[0]) / 2, (self.sprite.size[1] + sprite.size[1]) / 2
        between_x = self.x + self.sprite.size[0] / 2 - x - sprite.size[0] / 2
        between_y = self.y + self.sprite.size[1] / 2 - y - sprite.size[1] / 2
        return bool(np.hypot(between_x / width, between_y / height) > 0.85)


class _Crown:
    """Where leaves and fruit may be: clumps of foliage within the tile."""

    def __init__(self, rng: Generator, width: int, height: int) -> None:
        self._width, self._height = width, height
        scale = height / 720
        self.clumps = [
            (rng.uniform(0.16, 0.84) * width, (y + rng.uniform(-0.05, 0.05)) * height, rng.uniform(75, 130) * scale)
            for y in np.linspace(-0.02, 0.74, 17)
        ]

    def place(self, rng: Generator, sprite: Sprite) -> tuple[int, int]:
        """Return a random top left for a sprite, within a clump and the tile."""
        for _ in range(8):
            x, y, radius = self.clumps[rng.integers(len(self.clumps))]
            reach, angle = radius * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
            left = int(x + reach * np.cos(angle) - sprite.size[0] / 2)
            top = int(y + reach * np.sin(angle) - sprite.size[1] / 2)
            if self.inside(sprite, left, top) == (left, top):
                break
        return self.inside(sprite, left, top)

    def inside(self, sprite: Sprite, x: int, y: int) -> tuple[int, int]:
        """Move a sprite back to where this tree may grow."""
        lowest = int(0.9 * self._height) - sprite.size[1]
        return min(max(x, 8), self._width - sprite.size[0] - 8), min(y, lowest)

    def holds(self, sprite: Sprite, x: int, y: int) -> bool:
        """Whether a fruit would be on the tile, and not above the picture."""
        return self.inside(sprite, x, y) == (x, y) and y >= 0


def _paint(owner: NDArray[np.int32], sprite: Sprite, x: int, y: int, value: int) -> None:
    """Note in ``owner`` whose pixel is seen after a sprite was laid on top."""
    left, top = max(x, 0), max(y, 0)
    part = sprite.solid[top - y : owner.shape[0] - y, left - x : owner.shape[1] - x]
    owner[top : top + part.shape[0], left : left + part.shape[1]][part] = value


def _truth(
    hung: list[_Hung], owner: NDArray[np.int32]
) -> tuple[Boxes, NDArray[np.int64], tuple[NDArray[np.bool_], ...]]:
    boxes = [(fruit.x, fruit.y, fruit.x + fruit.sprite.size[0], fruit.y + fruit.sprite.size[1]) for fruit in hung]
    areas = [int(fruit.sprite.solid.sum()) for fruit in hung]
    uncovered = tuple(owner[y0:y1, x0:x1] == i for i, (x0, y0, x1, y1) in enumerate(boxes))
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(areas, np.int64), uncovered


def _bent(rng: Generator, start: Plane, end: Plane, bend: float) -> NDArray[np.float64]:
    """Return points, a few pixels apart, of a gently bent line."""
    count = max(8, int(np.hypot(*(end - start)) / 8))
    knots = np.linspace(start, end, 6) + np.pad(rng.normal(0, bend, (4, 2)), ((1, 1), (0, 0)))
    at = np.linspace(0, 5, count)
    smooth = np.column_stack([np.interp(at, np.arange(6), knots[:, i]) for i in range(2)])
    kernel = np.ones(5) / 5
    return np.column_stack([np.convolve(np.pad(smooth[:, i], 2, mode="edge"), kernel, "valid") for i in range(2)])


def _limb(wood: Sprite, points: NDArray[np.float64], start_px: float, end_px: float) -> None:
    """Draw a tapering limb, lit from the left."""
    widths = np.linspace(start_px, end_px, len(points))
    bark = np.array(_BARK)
    for offset, share, light in ((0.0, 1.0, 0.5), (-0.1, 0.75, 0.8), (-0.18, 0.45, 1.1), (-0.22, 0.2, 1.35)):
        ink = (bark * light).tolist()
        for (x0, y0), (x1, y1), width in zip(points[:-1], points[1:], widths[1:], strict=True):
            shift = offset * width
            ends = (int(x0 + shift), int(y0)), (int(x1 + shift), int(y1))
            thickness = max(1, round(width * share))
            cv2.line(wood.colour, *ends, ink, thickness, cv2.LINE_AA)
            cv2.line(wood.keep, *ends, (0, 0, 0), thickness, cv2.LINE_AA)


def _dapple(rng: Generator, crown: Sprite) -> None:
    """Let the light fall unevenly: more at the top, with darker hollows."""
    height, width = crown.keep.shape[:2]
    light = 1.06 - 0.22 * np.linspace(0, 1, height, dtype=np.float32)[:, None] + 0.1 * noise(rng, (height, width), 90)
    crown.colour[:] = as_image(crown.colour * np.clip(light, 0.65, 1.3)[..., None])


def _softened(sprite: Sprite) -> Sprite:
    """Blur a little, as a lens does."""

    def soft(image: Image) -> Image:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.65), np.uint8)

    return replace(sprite, colour=soft(sprite.colour), keep=soft(sprite.keep))
