"""What lies behind the trees: sky, a hedge, grass in bands of depth; passing clouds, and the sensor's noise."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from agent.capture.orchard.leaves import draw_leaves
from agent.capture.orchard.species import HEDGE
from agent.capture.orchard.sprites import Plane, Sprite, as_image, from_colour, lay, mix, noise
from agent.types import Image

_HORIZON = 0.6  # of the height
_FAR_SPEED = 0.3  # of the trees' speed
_BANDS = 7
_TURF = (50, 98, 84)
_NOISE_MARGIN = 64  # pixels by which the noise is larger than the picture
_SHADE_UNIT = 200  # value of the shade map that leaves the light as it is


class Scenery:
    """Everything that is not a tree, for pictures of one size. Drawn once, then cut from endless bands."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        """Draw the bands; they repeat after twice the picture's width."""
        rng = np.random.default_rng([seed, 3])
        self._width, self._height, self._period = width, height, 2 * width
        self._horizon = int(height * _HORIZON)
        far = np.empty((height, self._period, 3), np.uint8)
        far[: self._horizon] = _far(rng, self._period, self._horizon, height / 720)
        far[self._horizon :] = _TURF
        self._far = self._endless(far)
        self._bands = [self._band(rng, number) for number in range(_BANDS)]
        shade = _ring_noise(rng, self._period, height, 0.45 * width)
        self._shade = self._endless(as_image(_SHADE_UNIT * (1 + 0.14 * np.repeat(shade[..., None], 3, axis=2))))
        self._phases = rng.uniform(0, 2 * np.pi, 2)
        grain = rng.normal(0, 5, (height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3)).astype(np.float32)
        grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.6), np.float32)
        self._brighter, self._darker = as_image(grain), as_image(-grain)

    def paint(self, picture: Image, travelled_px: int) -> None:
        """Fill a picture with what is behind the trees, for a camera that has travelled so far along the row."""
        start = int(travelled_px * _FAR_SPEED) % self._period
        picture[:] = self._far[:, start : start + self._width]
        for band in self._bands:
            start = int(travelled_px * band.speed) % self._period
            view = np.s_[:, start : start + self._width]
            lay(picture, Sprite(band.sprite.colour[view], band.sprite.keep[view]), 0, band.top)

    def light(self, picture: Image, time_s: float) -> None:
        """Let clouds pass: the whole brighter or darker, and shadows that wander over it."""
        gain = 1 + 0.09 * np.sin(time_s * 2 * np.pi / 41 + self._phases[0])
        gain += 0.05 * np.sin(time_s * 2 * np.pi / 13 + self._phases[1])
        start = int(time_s * self._width / 30) % self._period
        shade = self._shade[:, start : start + self._width]
        cv2.multiply(picture, shade, dst=picture, scale=float(gain) / _SHADE_UNIT)

    def grain(self, picture: Image, index: int) -> None:
        """Add the sensor's noise, another in each frame."""
        x, y = (index * 37) % _NOISE_MARGIN, (index * 23) % _NOISE_MARGIN
        area = np.s_[y : y + self._height, x : x + self._width]
        cv2.add(picture, self._brighter[area], dst=picture)
        cv2.subtract(picture, self._darker[area], dst=picture)

    def _band(self, rng: Generator, number: int) -> "_Band":
        """Draw one band of grass, reaching down to where the next begins; 0 is far away, the last under the trees."""
        ground = self._height - self._horizon
        edges = self._horizon + ground * ((np.arange(_BANDS + 1) / _BANDS) ** 1.4 - 0.08)
        top, end = round(edges[number]), min(self._height, round(edges[number + 1] + 0.28 * ground))
        depth = number / (_BANDS - 1)
        grass = _grass(rng, self._period, end - top, depth, self._height / 720)
        sprite = Sprite(self._endless(grass.colour), self._endless(grass.keep))
        return _Band(sprite, top, _FAR_SPEED + (1 - _FAR_SPEED) * depth)

    def _endless(self, band: Image) -> Image:
        """Append the beginning of a band, so that a picture's width can be cut from anywhere."""
        return np.ascontiguousarray(np.concatenate([band, band[:, : self._width]], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """Grass at one depth: where its upper edge is in the picture, and its speed as a share of the trees'."""

    sprite: Sprite
    top: int
    speed: float


def _ring_noise(rng: Generator, width: int, height: int, cell: float) -> Plane:
    """Return noise whose right edge continues at its left."""
    wide = noise(rng, (height, width + int(cell)), cell)
    seam = np.linspace(1, 0, int(cell), dtype=np.float32)
    ring = wide[:, :width].copy()
    ring[:, : int(cell)] = wide[:, width:] * seam + wide[:, : int(cell)] * (1 - seam)
    return ring


def _far(rng: Generator, width: int, height: int, scale: float) -> Image:
    """Sky above a hedge, out of focus. (height, width, 3)."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    blue = np.broadcast_to(np.array([240, 222, 202], np.float32), (height, width, 3))
    sky = mix(blue, (246, 242, 238), np.broadcast_to(down, (height, width)))
    clouds = _ring_noise(rng, width, height, 190 * scale) + 0.5 * _ring_noise(rng, width, height, 60 * scale)
    far = as_image(mix(sky, (252, 252, 252), np.clip(clouds * 0.5, 0, 1)))
    crest = height * (0.5 + 0.12 * _ring_noise(rng, width, 4, 260 * scale)[0])
    below = np.arange(height)[:, None] > crest + 0.25 * height
    far[below] = (52, 84, 70)
    leaves = draw_leaves(rng, HEDGE, count=40, size=0.6 * scale, light=0.85)
    for x, depth in zip(rng.integers(0, width, 2600), np.sort(rng.uniform(0, 1, 2600)), strict=True):
        leaf = leaves[rng.integers(len(leaves))]
        y = int(crest[x] + depth * (height * 1.05 - crest[x]))
        for lap in (0, width):  # what hangs over the left edge continues at the right
            lay(far, leaf, int(x) - leaf.size[0] // 2 + lap, y - leaf.size[1] // 2)
    return _blurred_ring(far, 2.6 * scale)


def _blurred_ring(band: Image, blur: float) -> Image:
    margin = int(4 * blur) + 1
    wide = np.concatenate([band[:, -margin:], band, band[:, :margin]], axis=1)
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), blur), np.uint8)[:, margin:-margin]


def _grass(rng: Generator, width: int, height: int, depth: float, scale: float) -> Sprite:
    """One band of grass with a ragged upper edge, coarser as it is nearer; the nearest grows on bare soil."""
    fine = (1.5 + 2 * depth) * scale
    blades = _ring_noise(rng, width, height, fine)
    blades = np.asarray(cv2.GaussianBlur(blades, (0, 0), 0.3 + 0.4 * fine, sigmaY=6 * fine), np.float32)
    tufts, patches = _ring_noise(rng, width, height, 24 * scale), _ring_noise(rng, width, height, 160 * scale)
    green = np.broadcast_to(np.array([62, 122, 104], np.float32), (height, width, 3))
    colour = mix(green, (84, 150, 150), np.clip(0.25 + 0.3 * patches, 0, 1))
    soil = np.clip((depth - 0.7) * 2.2 + 0.3 * tufts, 0, 0.75) * (depth > 0.6)
    colour = mix(colour, (74, 98, 120), np.asarray(soil, np.float32))
    light = 0.92 + 0.7 * blades + 0.1 * tufts + 0.16 * np.linspace(1, -1, height, dtype=np.float32)[:, None]
    tips = _ring_noise(rng, width, 4, fine)[0] * 0.16 + _ring_noise(rng, width, 4, 6 * fine)[0] * 0.1 + 0.25
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    opacity = np.clip((rows - tips) * height / (2 * fine), 0, 1)
    opacity[0], opacity[-1] = 0.04, 1
    return from_colour(np.asarray(colour * light[..., None], np.float32), np.asarray(opacity, np.float32))
