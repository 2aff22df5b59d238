"""Whose turn it is at the detector: pure, time passed in.

Cameras share the analysing thread's time, not its frames: one whose pictures cost much gets fewer of them. Within what
they ask for, time is shared by weight. When the thread's time does not suffice, rates are lowered before pictures have
to wait, so that what is analysed stays new.

Source of the order: Goyal, Vin and Cheng, Start-time Fair Queuing, SIGCOMM 1996.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_CAPACITY = 0.9  # of the thread's time is granted: the rest is what keeps waits short
_LONG_STEPS = 0.25  # of the time, for a camera whose pictures hold up others that would have enough
_REVIEW_NS = 1_000_000_000
_NEW = 0.5  # weight of the newest second in the rate at which pictures come
_NEW_COST = 0.2  # weight of the newest picture in what one costs


@dataclass(frozen=True, slots=True)
class Share:
    """What one camera may have."""

    camera: str
    fps: float  # pictures a second that are wanted, at most
    weight: float = 1.0  # of its claim where time is short; more than 0

    def __post_init__(self) -> None:
        """Refuse what can never be meant."""
        if not (self.fps > 0 and self.weight > 0):
            raise ValueError(f"out of range: {self}")


@dataclass(slots=True)
class _Claim:
    share: Share
    tag: float = 0.0  # virtual time from which it may be served again
    served: int = 0  # when it was last, counted in turns
    due_ns: int = 0
    cost_s: float | None = None  # of a picture, lately
    arriving_fps: float = 0.0
    arrived: int = 0
    granted_fps: float | None = None  # None: all that comes


class Turns:
    """Shares the time of one thread between cameras. No camera starves, whatever the others cost."""

    def __init__(self, shares: Sequence[Share], *, capacity: float = _CAPACITY) -> None:
        """Start with nothing known of costs: everybody gets what comes.

        Args:
            shares: One a camera.
            capacity: Share of the thread's time that is granted, in (0, 1].
        """
        self._claims = {share.camera: _Claim(share) for share in shares}
        self._capacity = capacity
        self._virtual = 0.0
        self._turns = 0
        self._reviewed_ns: int | None = None

    def pick(self, waiting: Collection[str], now_ns: int) -> str | None:
        """Return the camera to serve now, of those with a picture waiting; None when none of them is due."""
        due = [claim for camera in waiting if (claim := self._claims[camera]).due_ns <= now_ns]
        if not due:
            return None
        chosen = min(due, key=lambda claim: (max(claim.tag, self._virtual), claim.served))
        self._virtual = max(chosen.tag, self._virtual)
        return chosen.share.camera

    def next_due_ns(self, waiting: Collection[str]) -> int | None:
        """Return when the first of the cameras with a picture waiting is due; None when none waits."""
        return min((self._claims[camera].due_ns for camera in waiting), default=None)

    def note_served(self, camera: str, started_ns: int, ended_ns: int) -> None:
        """Take note of what a camera's picture cost."""
        claim = self._claims[camera]
        self._turns += 1
        claim.served = self._turns
        spent_s = (ended_ns - started_ns) / 1e9
        claim.tag = max(claim.tag, self._virtual) + spent_s / claim.share.weight
        claim.cost_s = spent_s if claim.cost_s is None else claim.cost_s + _NEW_COST * (spent_s - claim.cost_s)
        if claim.granted_fps is not None:
            interval_ns = round(1e9 / claim.granted_fps)
            claim.due_ns = max(claim.due_ns, started_ns - interval_ns) + interval_ns

    def review(self, arrived: Mapping[str, int], now_ns: int) -> bool:
        """Grant rates anew, once a second; return whether it did.

        Args:
            arrived: By camera, how many pictures came so far, analysed or not.
            now_ns: Monotonic time.
        """
        if self._reviewed_ns is None:
            self._reviewed_ns = now_ns
            for camera, total in arrived.items():
                self._claims[camera].arrived = total
        passed_s = (now_ns - self._reviewed_ns) / 1e9
        if passed_s < _REVIEW_NS / 1e9:
            return False
        self._reviewed_ns = now_ns
        for camera, total in arrived.items():
            claim = self._claims[camera]
            came_fps = (total - claim.arrived) / passed_s
            claim.arriving_fps += _NEW * (came_fps - claim.arriving_fps)
            claim.arrived = total
        self._grant()
        return True

    def _grant(self) -> None:
        claims = list(self._claims.values())
        demands = [min(claim.arriving_fps, claim.share.fps) * (claim.cost_s or 0.0) for claim in claims]
        asked = [self._asked(claim, demand, demands) for claim, demand in zip(claims, demands, strict=True)]
        granted = water_fill(asked, [claim.share.weight for claim in claims], self._capacity)
        for claim, demand, time_share in zip(claims, demands, granted, strict=True):
            if claim.cost_s and time_share < demand:
                claim.granted_fps = time_share / claim.cost_s
            else:
                claim.granted_fps, claim.due_ns = None, 0

    def _asked(self, claim: _Claim, demand: float, demands: Sequence[float]) -> float:
        """Return what a camera may ask for: a step cannot be cut short, so long ones must be rare for others' sake."""
        others = [other.arriving_fps for other in self._claims.values() if other is not claim]
        holds_up = (claim.cost_s or 0.0) * max(others, default=0.0) > 1
        others_would_have_enough = sum(demands) - demand <= self._capacity - _LONG_STEPS
        return min(demand, _LONG_STEPS) if holds_up and others_would_have_enough else demand

    def granted_fps(self, camera: str) -> float:
        """Return how many pictures a second a camera may have: all that are wanted, or fewer."""
        claim = self._claims[camera]
        return claim.share.fps if claim.granted_fps is None else min(claim.share.fps, claim.granted_fps)

    def paced_s(self, camera: str) -> float:
        """Return how far apart a camera's turns are because time is short; 0 where it gets all that it wants."""
        granted_fps = self._claims[camera].granted_fps
        return 0.0 if granted_fps is None else 1 / granted_fps

    def cost_s(self, camera: str) -> float | None:
        """Return what a picture of this camera costs lately; None before the first."""
        return self._claims[camera].cost_s


def water_fill(demands: Sequence[float], weights: Sequence[float], capacity: float) -> list[float]:
    """Share a capacity by weight, giving nobody more than it asks for.

    Args:
        demands: What each wants, at least 0.
        weights: Claim of each, more than 0.
        capacity: What there is.

    Returns:
        What each gets. Their sum is the lesser of capacity and all demands; who gets less than it asked for gets
        capacity in proportion to its weight.
    """
    granted = [0.0] * len(demands)
    open_claims = sorted(range(len(demands)), key=lambda index: demands[index] / weights[index])
    weight_left, left = sum(weights), capacity
    for index in open_claims:  # the most modest first: what it leaves is shared by the others
        granted[index] = min(demands[index], left * weights[index] / weight_left)
        left -= granted[index]
        weight_left -= weights[index]
    return granted
