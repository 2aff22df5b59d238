"""When a picture was taken."""

from agent.types import Instant

_LATE_NS = 500_000_000
_DRIFT = 0.001  # how much a camera's clock may be slower than ours; quartz is ten times better
_LONGEST_LAG_NS = 10_000_000_000


def shifted(instant: Instant, by_ns: int) -> Instant:
    """Return the instant so many nanoseconds later on both clocks."""
    return Instant(instant.utc_ns + by_ns, instant.monotonic_ns + by_ns, instant.boot)


def on_stream(monotonic_ns: int | None, captured: Instant, stream_ns: int | None) -> int | None:
    """Return a monotonic time as one of a stream that had ``stream_ns`` at ``captured``; None where there is none."""
    return None if monotonic_ns is None or stream_ns is None else monotonic_ns - captured.monotonic_ns + stream_ns


class Playback:
    """Plays a recording: its first picture is taken to be from the moment of the start, the others follow its times.

    A player that falls behind goes on from where it is instead of hurrying, and the pictures are dated accordingly.
    """

    def __init__(self, start: Instant, *, keep_up: bool = True) -> None:
        """Begin at ``start``; without ``keep_up`` the recording's times hold however slow the player is."""
        self._start_ns, self._keep_up = start.monotonic_ns, keep_up

    def place(self, stream_ns: int | None, now: Instant) -> Instant:
        """Return when a picture is due; one without a time is due at the start."""
        stream_ns = stream_ns or 0
        early_ns = self._start_ns + stream_ns - now.monotonic_ns
        if self._keep_up and -early_ns > _LATE_NS:
            self._start_ns = now.monotonic_ns - stream_ns
            return now
        return shifted(now, early_ns)  # by the wall clock of now: it may have been set since the start


class Arrivals:
    """Dates the pictures of a live stream by its own time, anchored to the fastest arrivals.

    A picture arrives at the time it was taken plus a delay. The stream's time is regular but its origin unknown; the
    smallest difference seen between arrival and stream time is the best guess of that origin, and the delays of all
    slower pictures show against it. A stream whose time is missing, stands still or jumps is dated by arrival.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._origin_ns: int | None = None
        self._last_ns = 0

    def place(self, stream_ns: int | None, now: Instant) -> Instant:
        """Return when a picture that arrives now was taken: never later than now, never before the one before it."""
        if stream_ns is None:
            self._origin_ns = None
            return now
        origin_ns = now.monotonic_ns - stream_ns
        if self._origin_ns is not None and stream_ns > self._last_ns:
            crept_ns = self._origin_ns + round((stream_ns - self._last_ns) * _DRIFT)
            origin_ns = min(origin_ns, crept_ns) if origin_ns - crept_ns < _LONGEST_LAG_NS else origin_ns
        self._origin_ns, self._last_ns = origin_ns, stream_ns
        return shifted(now, stream_ns + origin_ns - now.monotonic_ns)
