"""A recorded track: an NMEA file that was written while a video was, and is played beside it."""

import bisect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent.errors import ConfigError, RejectedError
from agent.places.nmea import Fix, parse
from agent.places.position import FeedStatus, Position
from agent.types import Instant

log = structlog.get_logger()

_MOST_BYTES = 256 * 1024 * 1024  # a month at one sentence a second
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class _Point:
    offset_ns: int  # since the first
    fix: Fix


class RecordedTrack:
    """Gives the positions of a file by the time that has passed since it was first asked. Needs no thread."""

    def __init__(self, path: Path, *, max_age_s: float = 10.0, loop: bool = False) -> None:
        """Read the file.

        Args:
            path: Sentences of NMEA 0183, GGA or RMC with their times; what is no sentence is skipped and counted.
            max_age_s: Where the file has no position for longer than this, there is none.
            loop: After its end, start again.

        Raises:
            ConfigError: It cannot be read, or there is no position in it.
        """
        fixes, skipped = _read(path)
        self._points = _dated(fixes)
        if not self._points:
            raise ConfigError(f"gps: found no position with a time in {path}; allowed: an NMEA file with GGA or RMC")
        self._path, self._loop = path, loop
        self._max_age_ns = round(max_age_s * 1e9)
        self._status = FeedStatus(connected=True, positions=len(self._points), skipped=skipped)
        self._lock = threading.Lock()
        self._started: Instant | None = None

    @property
    def longest_silence_s(self) -> float:
        """How long ``run`` may go without a beat: it returns at once."""
        return 60.0

    def run(self, _stop: threading.Event, beat: Callable[[], None]) -> None:
        """Say what there is; nothing needs to be received."""
        beat()
        log.info("gps_track", file=str(self._path), positions=self._status.positions, skipped=self._status.skipped)

    def latest(self, now: Instant) -> Position | None:
        """Return where it was as long after the track's beginning as now is after the first call of all."""
        with self._lock:
            if self._started is None or self._started.boot != now.boot:
                self._started = now
            passed_ns = max(0, now.monotonic_ns - self._started.monotonic_ns)
        if self._loop:
            passed_ns %= self._points[-1].offset_ns + 1
        point = self._points[bisect.bisect_right(self._points, passed_ns, key=lambda point: point.offset_ns) - 1]
        age_ns = passed_ns - point.offset_ns
        if age_ns > self._max_age_ns:
            return None
        at = Instant(now.utc_ns - age_ns, now.monotonic_ns - age_ns, now.boot)
        return Position(at, point.fix.latitude_deg, point.fix.longitude_deg, point.fix.accuracy_m)

    def status(self) -> FeedStatus:
        """Return what the file held."""
        return self._status


def _read(path: Path) -> tuple[list[Fix], int]:
    """Return all fixes of a file, and how many lines were no sentence."""
    fixes: list[Fix] = []
    skipped = 0
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"gps: found {path} of {path.stat().st_size} bytes; allowed: at most {_MOST_BYTES}")
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"gps: cannot read {path}: {error.strerror}") from error
    for line in lines:
        try:
            fix = parse(line.strip()) if line.strip() else None
        except RejectedError:
            skipped += 1
            continue
        fixes += [fix] if fix is not None else []
    return fixes, skipped


def _dated(fixes: list[Fix]) -> list[_Point]:
    """Date fixes by their own times, across midnight; RMC counts only where there is no GGA at all."""
    with_hdop = [fix for fix in fixes if fix.has_hdop]
    points: list[_Point] = []
    offset_s, last_s = 0.0, None
    for fix in with_hdop or fixes:
        if fix.time_s is None:
            continue
        step_s = 0.0 if last_s is None else (fix.time_s - last_s) % _DAY_S
        if step_s > _DAY_S / 2:
            continue  # time ran back: a line out of order
        offset_s, last_s = offset_s + step_s, fix.time_s
        points.append(_Point(round(offset_s * 1e9), fix))
    return points
