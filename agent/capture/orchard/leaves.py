"""Drawn leaves and twigs."""

import cv2
import numpy as np
from numpy.random import Generator

from agent.capture.orchard.species import Species
from agent.capture.orchard.sprites import Bgr, Plane, Sprite, from_colour, mix, noise, stack, with_shadow

_YELLOWED: Bgr = (60, 165, 185)
_RIB: Bgr = (120, 190, 175)
_GLOSS: Bgr = (215, 225, 215)
_TWIG: Bgr = (58, 84, 92)


def draw_leaves(rng: Generator, species: Species, *, count: int, size: float, light: float) -> list[Sprite]:
    """Draw leaves to pick from.

    Args:
        rng: Decides every leaf.
        species: Gives their shape.
        count: How many.
        size: Pixels per pixel of the species' own measure.
        light: 1 in the sun, less in the shade of the crown.
    """
    return [_leaf(rng, species, rng.uniform(*species.leaf_px) * size, light) for _ in range(count)]


def draw_twigs(rng: Generator, leaves: list[Sprite], *, count: int, length: float) -> list[Sprite]:
    """Draw twigs of three to six leaves; ``length`` is in pixels."""
    return [_twig(rng, leaves, length * rng.uniform(0.7, 1.2)) for _ in range(count)]


def _twig(rng: Generator, leaves: list[Sprite], length: float) -> Sprite:
    largest = max(max(leaf.size) for leaf in leaves)
    side = int(length * 1.4 + largest)
    twig = Sprite.empty(side, side)
    angle = rng.uniform(0.15, 0.85) * np.pi
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = side / 2 - step, side / 2 + step
    stem = Sprite.empty(side, side)
    for part, ink in ((stem.colour, _TWIG), (stem.keep, (0.0, 0.0, 0.0))):
        cv2.line(part, start.astype(int).tolist(), end.astype(int).tolist(), ink, max(1, round(length / 24)))
    stack(twig, stem, 0, 0)
    for share in np.linspace(0.0, 1.0, int(rng.integers(3, 7))):
        leaf = with_shadow(leaves[rng.integers(len(leaves))], 0.35, max(1.0, length / 20))
        centre = start + (end - start) * share + rng.normal(0, length * 0.12, 2)
        stack(twig, leaf, int(centre[0] - leaf.size[0] / 2), int(centre[1] - leaf.size[1] / 2))
    rows, columns = np.flatnonzero(twig.solid.any(axis=1)), np.flatnonzero(twig.solid.any(axis=0))
    area = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Sprite(twig.colour[area].copy(), twig.keep[area].copy())


def _leaf(rng: Generator, species: Species, length: float, light: float) -> Sprite:
    """Draw one leaf: flat along its rib first, then tilted and turned."""
    rows, columns = max(8, int(length * species.leaf_ratio * 1.3)), max(12, int(length * 1.3))
    along, across = np.meshgrid(
        np.linspace(-0.04, 1.04, columns, dtype=np.float32), np.linspace(-1.15, 1.15, rows, dtype=np.float32)
    )
    t = np.clip(along, 0, 1)
    across = across + np.float32(rng.uniform(-0.35, 0.35)) * np.sin(np.pi * t)
    outline = np.clip(np.sin(np.pi * t ** rng.uniform(0.7, 0.95)), 0, 1) ** 0.8
    outline = outline * (1 - species.serration * np.abs((t * 18) % 1 - 0.5))
    pixels = rows / 2.3
    opacity = np.clip((outline - np.abs(across)) * pixels + 0.5, 0, 1) * ((along > 0) & (along < 1))
    colour = _leaf_colour(rng, species, t, across, pixels) * np.float32(light)
    return _turned(rng, colour, opacity.astype(np.float32), length, species.droop_deg)


def _leaf_colour(rng: Generator, species: Species, along: Plane, across: Plane, pixels: float) -> Plane:
    """Colour a leaf: folded along the rib, waved, with veins and a gloss. (H, W, 3)."""
    green = np.asarray(species.greens[rng.integers(len(species.greens))], np.float32)
    if rng.uniform() < species.yellowed:
        green = np.asarray(_YELLOWED, np.float32)
    fold = rng.uniform(0.05, 0.3) * rng.choice((-1, 1)) * np.sign(across)
    wave = 0.18 * np.cos(2 * np.pi * (along * rng.uniform(0.5, 1.1) + rng.uniform()))
    veins = 0.06 * np.cos(2 * np.pi * (along * 7 - np.abs(across) * 1.6))
    light = rng.uniform(0.75, 1.2) * (1 + fold + wave + veins + 0.06 * noise(rng, along.shape, 6))
    rib = 0.35 * np.clip(1.6 - np.abs(across) * pixels, 0, 1)
    gloss_at = ((along - rng.uniform(0.3, 0.7)) / 0.22) ** 2 + ((across - rng.uniform(-0.5, 0.5)) / 0.35) ** 2
    colour = mix(green * light[..., None], _RIB, rib)
    return mix(colour, _GLOSS, np.asarray(rng.uniform(0, 0.45) * np.exp(-gloss_at), np.float32))


def _turned(rng: Generator, colour: Plane, opacity: Plane, length: float, droop_deg: float | None) -> Sprite:
    """Tilt a leaf away from the camera and turn it in the picture."""
    degrees = rng.uniform(0, 360) if droop_deg is None else rng.normal(90, droop_deg)
    tilt = rng.uniform(0.45, 1.0)
    rows, columns = opacity.shape
    shrink, side = length / columns, int(length * 1.1) + 4
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[c, -s], [s, c]]) @ np.diag([shrink, shrink * tilt])
    shift = side / 2 - turn @ np.array([columns / 2, rows / 2])
    layers = np.dstack([colour * opacity[..., None], opacity])
    turned = cv2.warpAffine(layers, np.hstack([turn, shift[:, None]]), (side, side), flags=cv2.INTER_LINEAR)
    alpha = np.asarray(turned[..., 3], np.float32)
    return from_colour(np.asarray(turned[..., :3] / np.maximum(alpha, 1e-3)[..., None], np.float32), alpha)
