"""Objects that walk through a picture, seen as badly as a detector sees them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agent.types import Detections, Frame, Instant

WIDTH, HEIGHT = 1280, 720
BLANK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def frame_at(seconds: float, *, image: np.ndarray = BLANK, boot: int = 1) -> Frame:
    """A frame whose picture does not matter."""
    at = Instant(utc_ns=1_700_000_000_000_000_000, monotonic_ns=round(seconds * 1e9), boot=boot)
    return Frame(camera="gate", index=round(seconds * 1000), captured=at, image=image)


@dataclass(frozen=True)
class Walk:
    """One object's way: centres (K, 2) at times (K,), straight and even in between; unseen during ``hidden``."""

    times_s: np.ndarray
    centres: np.ndarray
    sides: np.ndarray  # (2,) width, height, pixels
    class_id: int = 0
    hidden: tuple[float, float] = (0.0, 0.0)

    def box(self, now_s: float) -> np.ndarray | None:
        """The true box, if it is in the picture and can be seen."""
        if not self.times_s[0] <= now_s <= self.times_s[-1] or self.hidden[0] <= now_s < self.hidden[1]:
            return None
        centre = np.array([np.interp(now_s, self.times_s, self.centres[:, axis]) for axis in (0, 1)])
        return np.concatenate([centre - self.sides / 2, centre + self.sides / 2])


@dataclass(frozen=True)
class Eye:
    """What a detector does to true boxes; shares are chances per box and frame."""

    jitter: float = 0.05  # standard deviation of each side of a box, of its length
    missed: float = 0.10
    false: float = 0.05  # a box of nothing, anywhere
    dim: float = 0.10  # a score too low to start a track
    slip: float = 0.0  # a box that holds half of its object only

    def see(self, walks: list[Walk], now_s: float, random: np.random.Generator) -> Detections:
        """The detections of one frame."""
        true = [(box, walk) for walk in walks if (box := walk.box(now_s)) is not None]
        rows = [
            self._row(box, walk.class_id, random) for box, walk in _uncovered(true) if random.random() >= self.missed
        ]
        rows += [_nothing(random) for _ in range(random.binomial(len(true), self.false))]
        table = np.array(sorted(rows, key=lambda row: -row[4])).reshape(-1, 6)
        return Detections(table[:, :4].astype(np.float32), table[:, 4].astype(np.float32), table[:, 5].astype(np.int64))

    def _row(self, box: np.ndarray, class_id: int, random: np.random.Generator) -> list[float]:
        sides = np.tile(box[2:] - box[:2], 2)
        spoilt = box + random.normal(size=4) * self.jitter * sides
        if random.random() < self.slip:
            spoilt[2] = (spoilt[0] + spoilt[2]) / 2
        score = random.uniform(0.12, 0.24) if random.random() < self.dim else random.uniform(0.4, 0.95)
        return [*spoilt, score, class_id]


def _uncovered(true: list[tuple[np.ndarray, Walk]]) -> list[tuple[np.ndarray, Walk]]:
    """Leave out what is mostly behind something that stands nearer, which is lower in the picture."""
    return [
        (box, walk)
        for box, walk in true
        if not any(other[3] > box[3] and _covered(box, other) > 0.6 for other, _ in true)
    ]


def _covered(box: np.ndarray, other: np.ndarray) -> float:
    common = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(np.prod(np.maximum(common, 0)) / np.prod(box[2:] - box[:2]))


def _nothing(random: np.random.Generator) -> list[float]:
    sides = random.uniform((30, 40), (70, 110))
    corner = random.uniform((0, 0), (WIDTH, HEIGHT) - sides)
    return [*corner, *(corner + sides), random.uniform(0.25, 0.6), 0]


def play(walks: list[Walk], eye: Eye, *, fps: float, seed: int) -> Iterator[tuple[float, Detections]]:
    """Each frame's time and detections, from the first walk to two seconds after the last."""
    random = np.random.default_rng(seed)
    waiting = sorted(walks, key=lambda walk: -walk.times_s[0])
    last_s = max(walk.times_s[-1] for walk in walks) + 2
    under_way: list[Walk] = []
    for number in range(round(last_s * fps)):
        now_s = number / fps
        while waiting and waiting[-1].times_s[0] <= now_s:
            under_way.append(waiting.pop())
        under_way = [walk for walk in under_way if walk.times_s[-1] >= now_s]
        yield now_s, eye.see(under_way, now_s, random)


def crossers(n: int, *, every_s: float, seed: int) -> list[Walk]:
    """Objects that cross the middle of the picture once, every other one to the left, many with a fuss.

    Of four, one walks straight on, one stands on the middle for a while, one goes to and fro on it, and one is hidden
    around it for up to three seconds.
    """
    random = np.random.default_rng(seed)
    return [_crosser(number, number * every_s, random) for number in range(n)]


def _crosser(number: int, start_s: float, random: np.random.Generator) -> Walk:
    sides = random.uniform((30, 40), (70, 110))
    heading = -1 if number % 2 else 1
    speed = random.uniform(0.7, 3) * sides[0]  # a person walks 2.8 of their widths a second
    along, first_y, last_y = random.uniform(300, 450), *random.uniform(120, 600, 2)
    way = [(-along, first_y), (0.0, (first_y + last_y) / 2), (along, last_y)]
    times = [0.0, along / speed, 2 * along / speed]
    fuss = number // 2 % 4
    if fuss in (1, 2):
        stay_s, swing = random.uniform(1, 4), (0 if fuss == 1 else random.uniform(0.02, 0.1) * sides[0])
        offset = random.uniform(-0.05, 0.05) * sides[0]
        steps = int(stay_s / 0.4) + 1
        middle = [(offset + swing * (-1) ** step, way[1][1]) for step in range(steps)]
        way[1:2] = middle
        times = [0.0, *(times[1] + 0.4 * np.arange(steps)), times[2] + 0.4 * (steps - 1)]
    hidden = (0.0, 0.0)
    if fuss == 3:
        half_s = min(random.uniform(0.2, 1.5), along / speed - 1)
        hidden = (start_s + times[1] - half_s, start_s + times[1] + half_s)
    centres = np.array([(WIDTH / 2 + heading * x, y) for x, y in way])
    return Walk(start_s + np.array(times), centres, sides, int(random.integers(2)), hidden)


def turners(n: int, *, every_s: float, seed: int) -> list[Walk]:
    """Objects that come to the middle of the picture, nearer than half their width, and go back."""
    random = np.random.default_rng(seed)
    return [_turner(number * every_s, 1 if number % 2 else -1, random) for number in range(n)]


def _turner(start_s: float, side: int, random: np.random.Generator) -> Walk:
    sides = random.uniform((30, 40), (70, 110))
    y, near, speed = random.uniform(120, 600), random.uniform(0, 0.5) * sides[0], random.uniform(0.7, 3) * sides[0]
    centres = np.array([(WIDTH / 2 + side * x, y) for x in (300, near, near, 300)])
    return Walk(start_s + np.cumsum([0, 300 / speed, 1.0, 300 / speed]), centres, sides)
