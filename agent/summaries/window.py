"""Observations added up over windows of UTC, without ever trusting UTC to go forward."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from agent.types import ANY, ClassCount, Instant, Measure, MeasureRollup, Observation, Rollup

Key = tuple[int, str, int]
"""Start in UTC nanoseconds, camera, and the boot by whose clock that is: parts of two clocks are never mixed."""

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class _Sums:
    """Of one zone and class."""

    unique: int = 0
    presence: int = 0
    occupancy_max: int = 0
    score_sum: float = 0.0

    def add(self, count: ClassCount) -> None:
        self.unique += count.unique
        self.presence += count.present
        self.occupancy_max = max(self.occupancy_max, count.present)
        self.score_sum += count.score_sum


@dataclass(slots=True)
class _Readings:
    """Of one measure."""

    count: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def add(self, measure: Measure) -> None:
        self.count += 1
        self.total += measure.value
        self.least = min(self.least, measure.value)
        self.most = max(self.most, measure.value)


@dataclass(slots=True)
class _Part:
    """What was seen so far in a window of one camera; by zone and class, and by zone, class and measure."""

    monotonic_start_ns: int
    observed_ms: int = 0
    frames: int = 0
    sums: dict[tuple[str, str], _Sums] = field(default_factory=lambda: {(ANY, ANY): _Sums()})
    readings: dict[tuple[str, str, str], _Readings] = field(default_factory=dict)
    places: Counter[str] = field(default_factory=Counter)  # nanoseconds at each

    def add(self, observation: Observation) -> None:
        self.frames += bool(observation.counts)  # a blind camera's frame was not seen; the end of the program has none
        for count in observation.counts:
            self.sums.setdefault((count.zone, count.class_name), _Sums()).add(count)
        for measure in observation.measures:
            key = (measure.zone, measure.class_name, measure.name)
            self.readings.setdefault(key, _Readings()).add(measure)
        if observation.place:
            self.places[observation.place] += observation.observed_ns

    @property
    def place(self) -> str:
        """Where the camera was for longest."""
        return max(sorted(self.places), key=self.places.__getitem__, default="")


class RollupWindows:
    """Adds up observations of all cameras in windows aligned to UTC, and gives each finished window out once.

    The wall clock may step: then a window is given out early, and what comes for it later is given out as a further
    part, to be added up by ``merge``. Nothing is lost by that, and nothing is invented for time that did not pass.

    Not safe to share between threads.
    """

    def __init__(self, window_s: int = 60, *, grace_s: float = 2.0) -> None:
        """Start without windows.

        Args:
            window_s: Length of a window.
            grace_s: How long a window waits for frames that were taken in it and are still being analysed.

        Raises:
            ValueError: ``window_s`` is less than 1, or ``grace_s`` negative.
        """
        if window_s < 1:
            raise ValueError(f"window_s: found {window_s}; allowed: 1 or more")
        if not grace_s >= 0:
            raise ValueError(f"grace_s: found {grace_s}; allowed: 0 or more")
        self._window_ns = window_s * _NS_PER_S
        self._grace_ns = round(grace_s * _NS_PER_S)
        self._interval_ns: dict[str, int] = {}  # by camera: how far apart its frames are
        self._open: dict[Key, _Part] = {}
        self._remainder_ns: dict[str, int] = {}  # by camera: watched, but less than a millisecond
        self._watched: dict[str, Instant] = {}  # by camera: up to when its windows are there

    def watch(self, camera: str, since: Instant, *, interval_s: float = 0.0) -> None:
        """Have a window of this camera for each one that passes from now on, though the camera may deliver nothing.

        So that "observed for 0 seconds" says that the camera was blind; the box being off leaves no window.

        Args:
            camera: By name.
            since: When its windows begin.
            interval_s: How far apart its frames are. The one after a window's end stands for time in it, too: the
                window waits for it, and is given out whole.
        """
        self._interval_ns[camera] = min(round(interval_s * _NS_PER_S), self._window_ns)
        self._watched[camera] = since
        self._part(camera, since.utc_ns, since)

    def add(self, observation: Observation) -> None:
        """Add one analysed frame, to the window of its UTC; the time it stands for is split where windows meet.

        Raises:
            ValueError: ``observed_ns`` is negative.
        """
        at, camera = observation.at, observation.camera
        if observation.observed_ns < 0:
            raise ValueError(f"observed_ns: found {observation.observed_ns}; allowed: 0 or more")
        for begin_ns, length_ns in self._slices(at.utc_ns - observation.observed_ns, at.utc_ns):
            self._part(camera, begin_ns, at).observed_ms += self._whole_ms(camera, length_ns)
        self._part(camera, at.utc_ns, at).add(observation)

    def peek(self) -> list[Rollup | MeasureRollup]:
        """Return the windows so far that were not given out yet."""
        return self._parts(self._open)

    def close(self, now: Instant) -> list[Rollup | MeasureRollup]:
        """Give out the windows that ended, or that the wall clock has left behind by stepping back."""
        self._watch_until(now)
        return self._give_out([key for key in self._open if self._is_over(key, now)])

    def flush(self, now: Instant) -> list[Rollup | MeasureRollup]:
        """Give out all windows, finished or not; for the end of the program."""
        self._watch_until(now)
        return self._give_out(list(self._open))

    def _is_over(self, key: Key, now: Instant) -> bool:
        start_ns, camera, boot = key
        if boot != now.boot:
            return True  # the clock was set since: it says nothing of when this window ends
        waits_ns = self._grace_ns + self._interval_ns.get(camera, 0)
        ended = start_ns + self._window_ns + waits_ns <= now.utc_ns
        return ended or start_ns > now.utc_ns

    def _watch_until(self, now: Instant) -> None:
        """Open the windows of watched cameras for the time that really passed, by the monotonic clock.

        That time is laid before ``now`` in UTC: after a step of a year forward one window opens, not a year of them.
        """
        for camera, since in self._watched.items():
            passed_ns = max(0, now.monotonic_ns - since.monotonic_ns) if since.boot == now.boot else 0
            for begin_ns, _ in self._slices(now.utc_ns - passed_ns, now.utc_ns):
                self._part(camera, begin_ns, now)
            self._part(camera, now.utc_ns, now)
            self._watched[camera] = now

    def _part(self, camera: str, utc_ns: int, at: Instant) -> _Part:
        """Return the window of a camera at some time, opened if it is not, on the clocks of ``at``."""
        start_ns = utc_ns - utc_ns % self._window_ns
        part = self._open.get((start_ns, camera, at.boot))
        if part is None:
            part = self._open[start_ns, camera, at.boot] = _Part(at.monotonic_ns - (at.utc_ns - start_ns))
        return part

    def _slices(self, begin_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
        """Cut a stretch of UTC where windows meet; yield begin and length of each piece."""
        while begin_ns < end_ns:
            cut_ns = min(end_ns, begin_ns - begin_ns % self._window_ns + self._window_ns)
            yield begin_ns, cut_ns - begin_ns
            begin_ns = cut_ns

    def _whole_ms(self, camera: str, length_ns: int) -> int:
        """Round down, and carry the rest to the camera's next piece, so that the sum stays right and no window full."""
        whole_ms, self._remainder_ns[camera] = divmod(self._remainder_ns.get(camera, 0) + length_ns, _NS_PER_MS)
        return whole_ms

    def _give_out(self, keys: list[Key]) -> list[Rollup | MeasureRollup]:
        parts = self._parts(keys)
        for key in keys:
            del self._open[key]
        return parts

    def _parts(self, keys: Iterable[Key]) -> list[Rollup | MeasureRollup]:
        parts: list[Rollup | MeasureRollup] = []
        for key in sorted(keys):
            parts += [*self._rollups(key), *self._measures(key)]
        return parts

    def _rollups(self, key: Key) -> Iterator[Rollup]:
        (start_ns, camera, boot), part = key, self._open[key]
        for (zone, class_name), sums in sorted(part.sums.items()):
            yield Rollup(
                camera=camera,
                zone=zone,
                class_name=class_name,
                window_start_s=start_ns // _NS_PER_S,
                window_s=self._window_ns // _NS_PER_S,
                boot=boot,
                monotonic_start_ns=part.monotonic_start_ns,
                observed_ms=part.observed_ms,
                frames=part.frames,
                unique=sums.unique,
                presence=sums.presence,
                occupancy_max=sums.occupancy_max,
                score_sum=sums.score_sum,
                place=part.place,
            )

    def _measures(self, key: Key) -> Iterator[MeasureRollup]:
        (start_ns, camera, boot), part = key, self._open[key]
        for (zone, class_name, name), readings in sorted(part.readings.items()):
            yield MeasureRollup(
                camera=camera,
                zone=zone,
                class_name=class_name,
                name=name,
                window_start_s=start_ns // _NS_PER_S,
                window_s=self._window_ns // _NS_PER_S,
                boot=boot,
                count=readings.count,
                total=readings.total,
                least=readings.least,
                most=readings.most,
            )


def merge(first: Rollup, second: Rollup) -> Rollup:
    """Add up two parts of one window; the clocks are those of the first.

    Raises:
        ValueError: They are not of the same window, camera, zone and class.
    """
    if first.key != second.key:
        raise ValueError(f"rollups of different keys do not add up: {first.key} and {second.key}")
    return replace(
        first,
        observed_ms=first.observed_ms + second.observed_ms,
        frames=first.frames + second.frames,
        unique=first.unique + second.unique,
        presence=first.presence + second.presence,
        occupancy_max=max(first.occupancy_max, second.occupancy_max),
        score_sum=first.score_sum + second.score_sum,
        place=first.place if first.observed_ms >= second.observed_ms and first.place else second.place or first.place,
    )


def merge_measures(first: MeasureRollup, second: MeasureRollup) -> MeasureRollup:
    """Add up two parts of one window of a measure.

    Raises:
        ValueError: They are not of the same window, camera, zone, class and measure.
    """
    if first.key != second.key:
        raise ValueError(f"measures of different keys do not add up: {first.key} and {second.key}")
    return replace(
        first,
        count=first.count + second.count,
        total=first.total + second.total,
        least=min(first.least, second.least),
        most=max(first.most, second.most),
    )


def add_up(first: Rollup | MeasureRollup, second: Rollup | MeasureRollup) -> Rollup | MeasureRollup:
    """Add up two parts of one window, both of one kind; the clocks are those of the first.

    Raises:
        ValueError: They are not of the same key.
    """
    if isinstance(first, Rollup) and isinstance(second, Rollup):
        return merge(first, second)
    if isinstance(first, MeasureRollup) and isinstance(second, MeasureRollup):
        return merge_measures(first, second)
    raise ValueError(f"a rollup and a measure do not add up: {first.key} and {second.key}")
