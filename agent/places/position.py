"""Where a camera is now, as a receiver on a connection that may break tells it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from agent.clock import Clock
from agent.errors import RejectedError
from agent.types import Instant
from cloud_sync.mqtt import Backoff

log = structlog.get_logger()

_SLICE_S = 0.5  # the longest wait between two beats
_LONGEST_LINE = 16_384  # bytes; gpsd's are the longest, with all satellites in one


@dataclass(frozen=True, slots=True)
class Position:
    """A position on WGS 84.

    ``accuracy_m``: horizontal error, root mean square, as far as the receiver can tell; None where it says nothing.
    """

    at: Instant
    latitude_deg: float  # north is positive
    longitude_deg: float  # east is positive
    accuracy_m: float | None = None


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How a feed does; counters count since the agent started."""

    connected: bool = False
    detail: str = ""  # one line for a person, empty when all is well
    positions: int = 0
    skipped: int = 0  # lines that were garbage, cut short or of a wrong checksum
    reconnects: int = 0


class Feed(Protocol):
    """Tells where something that moves is. ``run`` belongs to one thread; the rest may be called from any."""

    @property
    def longest_silence_s(self) -> float:
        """How long ``run`` may go without a beat."""
        ...

    def run(self, stop: threading.Event, beat: Callable[[], None], /) -> None:
        """Receive until ``stop`` is set, or until there is nothing more to do. What goes wrong outside never raises."""
        ...

    def latest(self, now: Instant) -> Position | None:
        """Return where it is at a moment near now; None where that is not known, or known only from too long ago."""
        ...

    def status(self) -> FeedStatus:
        """Return how the feed does."""
        ...


class Link(Protocol):
    """An open connection to a receiver. Belongs to one thread."""

    def read(self, timeout_s: float) -> bytes:
        """Return what came, nothing if nothing came in time. Raises OSError when the other side is gone."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Reader(Protocol):
    """Makes positions of the lines of one connection, in order."""

    def read(self, line: bytes, at: Instant) -> Position | None:
        """Return the position that a line tells, None where it tells none. Raises RejectedError for garbage."""
        ...


class PositionFeed:
    """Follows a receiver, and comes back after every failure with a jittered, growing wait."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Link],
        reader: Callable[[], Reader],
        clock: Clock,
        *,
        max_age_s: float = 10.0,
        silence_s: float = 30.0,
        backoff: Backoff | None = None,
    ) -> None:
        """Take the parts; nothing is opened before ``run``.

        Args:
            name: For the log and for people.
            connect: Opens the connection, within 10 s; raises OSError.
            reader: Gives a reader for each connection.
            clock: Dates positions, by their arrival.
            max_age_s: A position older than this is not where it is now.
            silence_s: A connection on which nothing comes for so long is opened anew.
            backoff: How to wait between attempts.
        """
        self._name, self._connect, self._reader, self._clock = name, connect, reader, clock
        self._max_age_ns = round(max_age_s * 1e9)
        self._silence_ns = round(silence_s * 1e9)
        self._backoff = backoff or Backoff(first_s=1.0, most_s=60.0)
        self._lock = threading.Lock()
        self._latest: Position | None = None
        self._status = FeedStatus(detail="not connected yet")
        self._had_fix = False

    @property
    def longest_silence_s(self) -> float:
        """How long ``run`` may go without a beat: a name may be looked up, and a connection waited for."""
        return 60.0

    def latest(self, now: Instant) -> Position | None:
        """Return the last position, None where it is older than allowed or of another boot."""
        with self._lock:
            position = self._latest
        return position if position is not None and is_near(position.at, now, self._max_age_ns) else None

    def status(self) -> FeedStatus:
        """Return how the feed does."""
        with self._lock:
            status = self._status
        lost = status.connected and self.latest(self._clock.now()) is None
        return replace(status, detail="the receiver finds no position") if lost else status

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Receive until ``stop`` is set. Beats at least every half second, but not while connecting."""
        while not stop.is_set():
            beat()
            try:
                self._follow(stop, beat)
            except OSError as error:
                self._note_failure(error)
                self._pause(self._backoff.delay_s(), stop, beat)

    def _follow(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Connect and read until ``stop``; raises OSError when the connection is over."""
        link = self._connect()
        try:
            self._note_connected()
            lines, reader = _Lines(), self._reader()
            heard_ns = self._clock.now().monotonic_ns
            while not stop.is_set():
                beat()
                data = link.read(_SLICE_S)
                now = self._clock.now()
                if data:
                    heard_ns = now.monotonic_ns
                elif now.monotonic_ns - heard_ns > self._silence_ns:
                    raise TimeoutError(f"nothing came for {self._silence_ns / 1e9:g} s")
                self._take(lines, data, reader, now)
        finally:
            link.close()

    def _take(self, lines: "_Lines", data: bytes, reader: Reader, now: Instant) -> None:
        """Read the lines that are whole by now."""
        skipped = lines.add(data)
        positions: list[Position] = []
        for line in lines.whole():
            try:
                position = reader.read(line, now)
            except RejectedError:
                skipped += 1
                continue
            positions += [position] if position is not None else []
        if positions:
            self._backoff.reset()
        with self._lock:
            self._latest = positions[-1] if positions else self._latest
            before = self._status
            self._status = replace(
                before, positions=before.positions + len(positions), skipped=before.skipped + skipped
            )
        self._note_fix(now)

    def _note_connected(self) -> None:
        if _is_landmark(self._backoff.failures):
            log.info("gps_connected", gps=self._name, failures=self._backoff.failures)
        with self._lock:
            self._status = replace(self._status, connected=True, detail="")

    def _note_fix(self, now: Instant) -> None:
        """Log when the receiver finds its position, and when it loses it."""
        has_fix = self.latest(now) is not None
        if has_fix == self._had_fix:
            return
        self._had_fix = has_fix
        log.info("gps_fix" if has_fix else "gps_fix_lost", gps=self._name)

    def _note_failure(self, error: OSError) -> None:
        with self._lock:
            was_connected = self._status.connected
            detail = error.strerror or str(error)
            reconnects = self._status.reconnects + was_connected
            self._status = replace(self._status, connected=False, detail=detail, reconnects=reconnects)
        failures = self._backoff.failures + 1
        if _is_landmark(failures):
            log.warning("gps_away", gps=self._name, detail=detail, failures=failures)

    def _pause(self, seconds: float, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Wait by the clock handed in, beating, until the time is over or ``stop`` is set."""
        end_ns = self._clock.now().monotonic_ns + round(seconds * 1e9)
        while (left_ns := end_ns - self._clock.now().monotonic_ns) > 0:
            beat()
            if stop.wait(min(left_ns / 1e9, _SLICE_S)):
                return
        self._note_fix(self._clock.now())


def is_near(at: Instant, now: Instant, max_age_ns: int) -> bool:
    """Tell whether two moments of one boot are no further apart than allowed.

    A frame may have been taken shortly before the position came.
    """
    return at.boot == now.boot and abs(now.monotonic_ns - at.monotonic_ns) <= max_age_ns


def _is_landmark(failures: int) -> bool:
    """Tell whether so many failures since the last position are worth a line in the log: 0, 1, 2, 4, 8, ..."""
    return failures & (failures - 1) == 0


class _Lines:
    """Puts lines together from pieces; the buffer is bounded, a line that outgrows it is left out."""

    def __init__(self) -> None:
        self._buffer = b""

    def add(self, data: bytes) -> int:
        """Take a piece; return how many lines had to be left out."""
        self._buffer += data
        rest = len(self._buffer) - (self._buffer.rfind(b"\n") + 1)
        if rest <= _LONGEST_LINE:
            return 0
        self._buffer = self._buffer[:-rest]
        return 1

    def whole(self) -> list[bytes]:
        """Return the lines that are whole, without their ends and without empty ones."""
        *lines, self._buffer = self._buffer.split(b"\n")
        return [line.strip() for line in lines if line.strip()]
