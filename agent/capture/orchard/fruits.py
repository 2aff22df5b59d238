"""Drawn fruit: a shaded ball with skin, blush, dots, a dimple and a highlight."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.capture.orchard.species import APPLE, CHERRY, Species
from agent.capture.orchard.sprites import Bgr, Plane, Sprite, from_colour, mix, noise, with_shadow


@dataclass(frozen=True, slots=True, eq=False)
class _Ball:
    """The surface of one fruit as the camera sees it: (S, S) planes, coordinates in radii from its centre."""

    x: Plane  # turned with the fruit
    y: Plane
    reach: Plane  # 0 in the middle, 1 at the outline
    normal: NDArray[np.float32]  # (3, S, S), towards the light is negative x and y, towards the camera positive z
    opacity: Plane


def draw_fruit(rng: Generator, species: Species, *, count: int, size: float) -> list[Sprite]:
    """Draw fruit to pick from; ``size`` is pixels per pixel of the species' own measure."""
    return [_fruit(rng, species, rng.uniform(*species.fruit_px) * size) for _ in range(count)]


def _fruit(rng: Generator, species: Species, diameter: float) -> Sprite:
    ball = _ball(rng, species, diameter)
    light = np.array([rng.normal(-0.35, 0.25), -0.7, 0.65], np.float32)
    light /= np.linalg.norm(light)
    skin = _skin(rng, species, ball, light)
    colour = _lit(rng, species, ball, light, skin)
    if species is not CHERRY:
        dimple_x, dimple_y = rng.normal(0, 0.12), rng.choice((-0.78, 0.72)) + rng.normal(0, 0.06)
        dimple = np.exp(-(((ball.x - dimple_x) / 0.2) ** 2) - ((ball.y - dimple_y) / 0.1) ** 2)
        colour = colour * (1 - 0.6 * dimple[..., None])
    return with_shadow(from_colour(np.clip(colour, 0, 255), ball.opacity), 0.45, max(1.5, diameter / 11))


def _ball(rng: Generator, species: Species, diameter: float) -> _Ball:
    radius, side = diameter / 2, int(diameter * 1.15) + 4
    y0, x0 = (np.mgrid[0:side, 0:side].astype(np.float32) - side / 2 + 0.5) / radius
    turn = np.deg2rad(rng.normal(0, 15))
    x, y = x0 * np.cos(turn) + y0 * np.sin(turn), -x0 * np.sin(turn) + y0 * np.cos(turn)
    outline = _outline(rng, species, np.arctan2(y, x))
    reach = np.hypot(x, y) / outline
    depth = np.sqrt(1 - np.clip(reach, 0, 1) ** 2)
    normal = np.stack([x0, y0, depth])
    normal /= np.linalg.norm(normal, axis=0)
    return _Ball(x, y, reach, normal, np.clip((1 - reach) * radius + 0.5, 0, 1).astype(np.float32))


def _outline(rng: Generator, species: Species, angle: Plane) -> Plane:
    """Radius of the fruit in each direction, 1 on average."""
    notch = np.exp(-(((angle + np.pi / 2) / 0.3) ** 2))  # where the stem sits
    uneven = 0.02 * np.cos(3 * angle + rng.uniform(0, 2 * np.pi))
    if species is APPLE:
        return np.asarray(1 - 0.05 * np.sin(angle) - 0.05 * notch + uneven, np.float32)
    if species is CHERRY:
        return np.asarray(0.97 - 0.04 * notch, np.float32)
    shoulders = np.exp(-(((angle + np.pi / 4) / 0.4) ** 2)) + np.exp(-(((angle + 3 * np.pi / 4) / 0.4) ** 2))
    return np.asarray(0.96 - 0.05 * np.cos(2 * angle) - 0.08 * shoulders + uneven, np.float32)


def _skin(rng: Generator, species: Species, ball: _Ball, light: NDArray[np.float32]) -> Plane:
    """Colour before any light falls on it, (S, S, 3): a ground colour, redder where the sun has been."""
    shape = ball.x.shape
    patches = noise(rng, shape, shape[0] / 4.6)
    sunny = ball.normal[0] * light[0] + ball.normal[1] * light[1]
    ground: Bgr
    blush: Bgr
    if species is APPLE:
        ground, blush = (70, 165, 190), ((48, 36, 178), (70, 52, 190), (58, 40, 150))[rng.integers(3)]
        cover = rng.uniform(0.55, 1.1) if rng.uniform() < 0.85 else rng.uniform(0, 0.25)
        streaks = np.cos(np.arctan2(ball.x, 0.6 + ball.y * 0.2) * rng.uniform(14, 22) + patches * 1.2)
        share = cover + 0.35 * sunny + 0.22 * patches + 0.1 * streaks
    elif species is CHERRY:
        ground, blush = (40, 146, 128), ((38, 128, 182), (40, 74, 182))[rng.integers(2)]
        share = rng.uniform(-0.8, 0.8) + 0.3 * patches
    else:
        ground, blush = (104, 178, 186), (88, 122, 196)
        share = rng.uniform(-0.1, 0.5) + 0.2 * patches + 0.45 * sunny
    share = np.clip(share, 0, 1) ** 2 * (3 - 2 * np.clip(share, 0, 1))
    skin = mix(np.broadcast_to(np.asarray(ground, np.float32), (*shape, 3)), blush, share)
    skin = skin * (1 + 0.035 * noise(rng, shape, 3)[..., None])
    return skin if species is CHERRY else _dotted(rng, species, skin)


def _dotted(rng: Generator, species: Species, skin: Plane) -> Plane:
    """Sprinkle the pale pores of an apple, or the brown ones of a pear."""
    dots = (rng.uniform(size=skin.shape[:2]) < 0.02).astype(np.float32)
    dots = np.clip(cv2.GaussianBlur(dots, (0, 0), 0.8) * 2.2, 0, 0.5)
    return mix(skin, (150, 200, 225) if species is APPLE else (70, 120, 140), np.asarray(dots * 0.7, np.float32))


def _lit(rng: Generator, species: Species, ball: _Ball, light: NDArray[np.float32], skin: Plane) -> Plane:
    """Light the skin: sun, sky from above, green from below, a darker rim and a highlight. (S, S, 3)."""
    sun = np.clip(np.tensordot(light, ball.normal, 1), 0, 1)
    strength = 0.42 - 0.12 * ball.normal[1] + 0.72 * sun
    rim = 1 - 0.35 * np.clip((ball.reach - 0.75) / 0.25, 0, 1) ** 2
    colour = skin * (strength * rim)[..., None]
    colour = colour + np.array([3.0, 8.0, 6.0], np.float32) * np.clip(ball.normal[1], 0, 1)[..., None]
    half = light + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    sharpness, gloss = {"apple": (28, 0.55), "cherry": (60, 0.8), "pear": (28, 0.3)}[species.name]
    glint = np.clip(np.tensordot(half, ball.normal, 1), 0, 1) ** sharpness * gloss * rng.uniform(0.5, 1.0)
    return mix(np.asarray(colour, np.float32), (245, 245, 245), np.asarray(glint, np.float32))
