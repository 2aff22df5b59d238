"""Objects that walk through a picture, seen as badly as a detector sees them."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agent.analytics.lines import LineAnalysis
from agent.config import LineConfig
from agent.tracking import ByteTrack, TrackerParams
from agent.types import ANY, Detections, Frame, Instant

WIDTH, HEIGHT = 1920, 2880
PICTURE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
LANES = np.arange(80, HEIGHT - 60, 130)
"""Heights at which objects go that are to keep clear of each other."""


def frame_at(seconds: float, *, image: np.ndarray = PICTURE, boot: int = 1) -> Frame:
    """A frame whose picture does not matter."""
    at = Instant(utc_ns=1_700_000_000_000_000_000, monotonic_ns=round(seconds * 1e9), boot=boot)
    return Frame(camera="gate", index=round(seconds * 1000), captured=at, pixels=image)


@dataclass(frozen=True)
class Walk:
    """One object's way: centres (K, 2) at times (K,), straight and even in between; unseen during ``hidden``."""

    times_s: np.ndarray
    centres: np.ndarray
    sides: np.ndarray  # (2,) width, height, pixels
    class_id: int = 0
    hidden: tuple[float, float] = (0.0, 0.0)

    def boxes(self, fps: float) -> Iterator[tuple[int, np.ndarray]]:
        """The number of each frame in which it can be seen, and the true box (4,) there."""
        numbers = np.arange(np.ceil(self.times_s[0] * fps), self.times_s[-1] * fps)
        shown = numbers[(numbers / fps < self.hidden[0]) | (numbers / fps >= self.hidden[1])]
        centres = [np.interp(shown / fps, self.times_s, self.centres[:, axis]) for axis in (0, 1)]
        middle = np.stack(centres, axis=1)
        return zip(shown.astype(int), np.hstack([middle - self.sides / 2, middle + self.sides / 2]), strict=True)


@dataclass(frozen=True)
class Eye:
    """What a detector does to true boxes; shares are chances per box and frame."""

    jitter: float = 0.05  # standard deviation of each side of a box, of its length
    missed: float = 0.10
    false: float = 0.05  # a box of nothing, anywhere
    dim: float = 0.10  # a score too low to start a track
    slip: float = 0.0  # a box that holds the left half of its object only

    def see(self, boxes: np.ndarray, class_ids: np.ndarray, random: np.random.Generator) -> Detections:
        """The detections of one frame with these true boxes (N, 4) and classes (N,)."""
        nothing = random.binomial(len(boxes), self.false)
        kept = _uncovered(boxes) & (random.random(len(boxes)) >= self.missed)
        boxes, class_ids = boxes[kept], class_ids[kept]
        n = len(boxes)
        spoilt = boxes + random.normal(size=(n, 4)) * self.jitter * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        slipped = random.random(n) < self.slip
        spoilt[slipped, 2] = (spoilt[slipped, 0] + spoilt[slipped, 2]) / 2
        scores = np.where(random.random(n) < self.dim, random.uniform(0.12, 0.24, n), random.uniform(0.4, 0.95, n))
        corners, sides = random.uniform(0, (WIDTH, HEIGHT), (nothing, 2)), random.uniform(40, 110, (nothing, 2))
        spoilt = np.vstack([spoilt, np.hstack([corners, corners + sides])])
        scores = np.concatenate([scores, random.uniform(0.25, 0.6, nothing)])
        class_ids = np.concatenate([class_ids, np.zeros(nothing, np.int64)])
        order = np.argsort(-scores)
        return Detections(spoilt[order].astype(np.float32), scores[order].astype(np.float32), class_ids[order])


def _uncovered(boxes: np.ndarray) -> np.ndarray:
    """Which boxes (N, 4) are not mostly behind another that stands nearer, which is lower in the picture."""
    common = np.minimum(boxes[:, np.newaxis, 2:], boxes[:, 2:]) - np.maximum(boxes[:, np.newaxis, :2], boxes[:, :2])
    covered = np.prod(np.maximum(common, 0), axis=2) / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)[:, np.newaxis]
    return ~((boxes[:, 3] > boxes[:, np.newaxis, 3]) & (covered > 0.6)).any(axis=1)


def play(walks: list[Walk], eye: Eye, *, fps: float, seed: int) -> Iterator[tuple[float, Detections]]:
    """Each frame's time and detections, until six seconds after the last walk."""
    random = np.random.default_rng(seed)
    shown = defaultdict(list)
    for walk in walks:
        for number, box in walk.boxes(fps):
            shown[number].append((box, walk.class_id))
    for number in range(max(shown) + round(6 * fps)):
        boxes = np.array([box for box, _ in shown.get(number, ())]).reshape(-1, 4)
        class_ids = np.array([class_id for _, class_id in shown.get(number, ())], np.int64)
        yield number / fps, eye.see(boxes, class_ids, random)


def crossers(n: int, *, seed: int, crowd_every_s: float | None = None) -> list[Walk]:
    """Objects that cross the middle of the picture once, every other one to the left, most with a fuss.

    Of four, one walks straight on, one stands on the middle for a while, one goes to and fro on it, and one is hidden
    around it for up to three seconds. Each lane has one at a time. In a crowd, one comes every so many seconds, they go
    where they like in a quarter of the picture, and hide each other.
    """
    random = np.random.default_rng(seed)
    free_s = np.zeros(len(LANES))
    walks = []
    for number in range(n):
        lane = int(free_s.argmin())
        if crowd_every_s is None:
            start_s, heights = free_s[lane], LANES[lane] + random.uniform(-10, 10, 2)
        else:
            start_s, heights = (
                number * crowd_every_s,
                random.uniform(100, 600) + random.uniform(-150, 150) * np.array([0, 1]),
            )
        walks.append(_crosser(number, start_s, heights, random))
        free_s[lane] = walks[-1].times_s[-1] + 2.5
    return walks


def _crosser(number: int, start_s: float, heights: np.ndarray, random: np.random.Generator) -> Walk:
    sides = random.uniform((30, 40), (70, 110))
    heading, fuss = (-1 if number % 2 else 1), number // 2 % 4
    speed = random.uniform(0.8, 3) * sides[0]  # a person walks 2.8 of their widths a second
    along = random.uniform(2, 3) * speed
    steps = int(random.uniform(1, 4) / 0.4) if fuss in (1, 2) else 1
    swing = random.uniform(0.02, 0.1) * sides[0] * (fuss == 2)
    stop = random.uniform(-0.05, 0.05) * sides[0]
    across = [-along, *(stop + swing * (-1.0) ** np.arange(steps)), along]
    times = start_s + np.array([0.0, *(along / speed + 0.4 * np.arange(steps)), 2 * along / speed + 0.4 * (steps - 1)])
    middle_s, half_s = times[1], min(random.uniform(0.2, 1.5), along / speed - 1.5)
    down = np.interp(times, times[[0, -1]], heights)
    return Walk(
        times,
        np.stack([WIDTH / 2 + heading * np.array(across), down], axis=1),
        sides,
        class_id=int(random.integers(2)),
        hidden=(middle_s - half_s, middle_s + half_s) if fuss == 3 else (0.0, 0.0),
    )


def turners(n: int, *, start_s: float, seed: int) -> list[Walk]:
    """Objects that come to the middle of the picture, nearer than half their width, and go back."""
    random = np.random.default_rng(seed)
    return [_turner(start_s + number // len(LANES) * 12, number, random) for number in range(n)]


def _turner(start_s: float, number: int, random: np.random.Generator) -> Walk:
    sides = random.uniform((30, 40), (70, 110))
    side, lane = (1 if number % 2 else -1), LANES[number % len(LANES)]
    near, speed = random.uniform(0, 0.5) * sides[0], random.uniform(0.8, 3) * sides[0]
    far = near + 2.5 * speed
    centres = np.array([(WIDTH / 2 + side * x, lane) for x in (far, near, near, far)])
    return Walk(start_s + np.cumsum([0, 2.5, 1.0, 2.5]), centres, sides)


DOWN_THE_MIDDLE = LineConfig(name="gate", points=((0.5, 0.0), (0.5, 1.0)))


def count_crossings(walks: list[Walk], *, seed: int, fps: float = 10.0) -> Counter[str]:
    """Crossings of a line down the middle by direction, as the camera's pipeline would find them."""
    tracker = ByteTrack(TrackerParams.at(confidence=0.25, frame_interval_s=1 / fps))
    line = LineAnalysis((DOWN_THE_MIDDLE,), "gate", ("person", "car"))
    found = Counter()
    for now_s, detections in play(walks, Eye(), fps=fps, seed=seed):
        frame = frame_at(now_s)
        tracks = tracker.update(detections, frame.captured)
        measures = line.observe(frame, tracks, observed_ns=round(1e9 / fps)).measures
        found.update(measure.name for measure in measures if measure.class_name == ANY)
    return found


def count_a_thousand() -> Counter[str]:
    """Crossings of 1,000 objects, half each way, most with a fuss, and of a hundred more that turn back."""
    walks = crossers(1000, seed=1)
    walks += turners(100, start_s=walks[-1].times_s[-1] + 12, seed=2)
    return count_crossings(walks, seed=3)
