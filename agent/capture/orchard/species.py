"""What grows in the simulated orchard: sizes and shapes of fruit and leaves."""

from dataclasses import dataclass, replace

from agent.capture.orchard.sprites import Bgr

_SPRING_GREENS: tuple[Bgr, ...] = ((22, 84, 56), (30, 100, 70), (38, 118, 84), (26, 92, 76), (50, 128, 104))
_SUMMER_GREENS: tuple[Bgr, ...] = (
    (52, 112, 84),
    (60, 128, 98),
    (78, 142, 122),
    (66, 120, 96),
    (92, 138, 120),
    (70, 150, 135),
)


@dataclass(frozen=True, slots=True)
class Species:
    """One kind of fruit tree. Lengths are pixels of a picture 720 lines high.

    ``class_id`` is the index of the fruit in the bundled model. ``leaf_ratio`` is a leaf's width over its length,
    ``serration`` how toothed its edge is, ``droop_deg`` the spread of leaves about hanging straight down (None: they
    point anywhere). ``bunch`` is how many fruit hang together at most, ``stem`` a fruit's stem over its diameter.
    """

    name: str
    class_id: int
    fruit_px: tuple[float, float]
    fruit_count: tuple[int, int]
    bunch: int
    stem: float
    leaf_px: tuple[float, float]
    leaf_ratio: float
    serration: float
    droop_deg: float | None
    greens: tuple[Bgr, ...]
    yellowed: float  # share of the leaves
    leaves: int  # of each of the inner layers
    twigs: int  # in front of the fruit


APPLE = Species("apple", 0, (60, 88), (22, 29), 2, 0.5, (46, 76), 0.62, 0.0, None, _SUMMER_GREENS, 0.03, 430, 20)
CHERRY = Species("cherry", 1, (36, 48), (30, 40), 4, 1.5, (80, 130), 0.46, 0.1, 24, _SPRING_GREENS, 0.0, 190, 6)
PEAR = Species("pear", 2, (56, 82), (20, 27), 3, 0.5, (46, 72), 0.66, 0.0, 60, _SUMMER_GREENS, 0.02, 420, 20)

HEDGE = replace(APPLE, name="hedge", yellowed=0.0)
"""What grows far behind the row; without fruit."""

SPECIES = {species.name: species for species in (APPLE, CHERRY, PEAR)}
"""By name."""
