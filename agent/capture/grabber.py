"""The loop of one camera's thread: connect, hand over the newest frames, and come back after every failure."""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from agent.capture.decoders import Decoders
from agent.capture.factory import create_source
from agent.capture.slot import FrameSlot
from agent.capture.timeline import Arrivals, Playback, on_stream
from agent.clock import Clock
from agent.config import CameraConfig, public_address
from agent.decoder.source import EndedError, Picture, Source, SourceError, StalledError
from agent.motion import MotionGate
from agent.planes import Pixels
from agent.sampling import Sampling
from agent.types import CameraState, CameraStatus, Event, Frame, Instant

log = structlog.get_logger()

_WAIT_SLICE_S = 0.5  # the longest wait between two beats


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt: doubling from ``first_s`` to ``most_s``, the half of it by chance.

    A session that gave frames for ``healthy_s`` starts the count anew.
    """

    first_s: float = 1.0
    most_s: float = 60.0
    healthy_s: float = 30.0

    def delay_s(self, failures: int, chance: float) -> float:
        """Return the wait after so many failures in a row, from 1; ``chance`` is in [0, 1]."""
        longest_s = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return longest_s * (0.5 + 0.5 * chance)


def _ignore_state(_camera: str, _status: CameraStatus) -> None:
    """Nobody wants to know."""


def _ignore_event(_event: Event) -> None:
    """Nobody wants to know."""


def _counted(failures: Mapping[str, int], state: CameraState) -> Mapping[str, int]:
    """Count one more failure of that kind, if it is one; each attempt counts."""
    if state in {CameraState.STARTING, CameraState.LIVE}:
        return failures
    return {**failures, str(state): failures.get(str(state), 0) + 1}


def _ignore_beat() -> None:
    """Nobody watches."""


class Grabber:
    """Fills a camera's slot. ``run`` belongs to one thread; everything else may be called from any.

    It beats at each picture and at least every half second while it waits, but not inside a read: that is bounded by
    ``longest_silence_s``.
    """

    def __init__(
        self,
        camera: CameraConfig,
        slot: FrameSlot,
        clock: Clock,
        *,
        on_state: Callable[[str, CameraStatus], None] = _ignore_state,
        on_event: Callable[[Event], None] = _ignore_event,
        gate: MotionGate | None = None,
        decoders: Decoders | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Check the camera's address; nothing is opened before ``run``.

        Args:
            camera: What to watch.
            slot: Where frames go.
            clock: Dates frames and measures waits.
            on_state: Called with the camera's name and status when the state changes, not when only a counter does.
            on_event: Called with what else happens: that the size of the pictures has changed.
            gate: Tells which pictures deserve a look; None: all of them.
            decoders: Where video is decoded; None: in a process of its own.
            backoff: How to wait between attempts.

        Raises:
            ConfigError: The address is wrong.
        """
        create_source(camera, decoders)
        self._camera, self._slot, self._clock = camera, slot, clock
        self._on_state, self._on_event = on_state, on_event
        self._beat, self._backoff = _ignore_beat, backoff or Backoff()
        self._gate, self._decoders = gate, decoders
        self._looked_at: Pixels | None = None  # the last picture that the gate let through, of this session
        self._random = random.SystemRandom()
        self._lock = threading.Lock()
        self._status = CameraStatus(camera.name, CameraState.STARTING, "", clock.now(), 0, 0, 0, 0, 0, 0)
        self._source: Source | None = None
        self._skipped = 0  # by the sources before this one
        self._late = 0
        self._max_age_ns = round(camera.max_age_s * 1e9)
        self._failures = 0  # in a row
        self._session = 0
        self._was_live = False
        self._live_since: Instant | None = None

    @property
    def longest_silence_s(self) -> float:
        """How long it may go without a beat: opening waits for the connection and for the stream's head.

        The rest is for the start of a decoder, for key frames far apart, and for a slow box that draws an orchard.
        """
        return 2 * self._camera.stall_timeout_s + 60.0

    @property
    def skipped(self) -> int:
        """How many damaged pictures or packets were left out since the agent started."""
        with self._lock:
            return self._skipped + (self._source.skipped if self._source else 0)

    def status(self) -> CameraStatus:
        """Return how the camera does now."""
        with self._lock:
            late = self._late + self._slot.late
            return replace(self._status, frames_dropped=self._slot.dropped, frames_late=late)

    def run(self, stop: threading.Event, beat: Callable[[], None] = _ignore_beat) -> None:
        """Watch until ``stop`` is set, or until a recording came to its end. A camera's failures never raise.

        ``beat`` is called often, for a watchdog; see ``longest_silence_s``.
        """
        self._beat = beat
        while not stop.is_set():
            source = create_source(self._camera, self._decoders)
            with self._lock:
                self._source = source
            self._live_since = self._looked_at = None
            self._session += 1
            if self._gate is not None:
                self._gate.reset()
            try:
                self._watch(source, stop)
            except SourceError as error:
                self._note_failure(error)
                if source.recorded and self._live_since is not None and not self._camera.loop:
                    return  # played again from its start, everything on it would be counted twice
            else:
                return
            finally:
                source.close()
                with self._lock:
                    self._source, self._skipped = None, self._skipped + source.skipped
            self._wait(self._backoff.delay_s(self._failures, self._random.random()), stop)

    def _watch(self, source: Source, stop: threading.Event) -> None:
        """Take frames until the end of a recording, or ``stop``. Raises SourceError."""
        self._beat()
        source.open()
        timeline = Playback(self._clock.now()) if source.recorded else Arrivals()
        sampler = Sampling.parse(self._camera.sampling).sampler()
        not_before_ns, timely = None, self._clock.now()
        while not stop.is_set():
            self._beat()
            picture = source.read(not_before_ns)
            if picture is None and source.recorded:
                self._enter(CameraState.ENDED, "the recording came to its end")
                return
            if picture is None:
                raise EndedError(f"{public_address(self._camera.watched)}: the stream was ended by the other side")
            now = self._clock.now()
            captured = timeline.place(picture.stream_ns, now)
            if now.monotonic_ns - captured.monotonic_ns <= self._max_age_ns:
                timely = now
            elif not source.recorded:
                self._note_late(now, timely)
                continue
            if sampler.wants(captured.monotonic_ns):
                self._deliver(picture, captured, stop)
            not_before_ns = on_stream(sampler.not_before_ns, captured, picture.stream_ns)

    def _deliver(self, picture: Picture, captured: Instant, stop: threading.Event) -> None:
        """Convert a picture, wait until it is due if it is a recording's, and leave it in the slot.

        One that shows nothing new is not fetched: the picture before it says the same.
        """
        small = picture.to_small()
        seen = self._looked_at
        still = self._gate is not None and not self._gate.look(small, captured.monotonic_ns) and seen is not None
        pixels = self._looked_at = seen if still and seen is not None else picture.to_pixels()
        self._wait((captured.monotonic_ns - self._clock.now().monotonic_ns) / 1e9, stop)
        if stop.is_set():
            return
        self._slot.put(Frame(self._camera.name, picture.index, captured, pixels, small, still, self._session))
        self._count(pixels, still=still, captured=captured)
        if self._live_since is None:
            self._live_since = self._clock.now()
            self._enter(CameraState.LIVE, "")

    def _note_late(self, now: Instant, timely: Instant) -> None:
        """Count a picture that is too old. A stream that gives no other for long is opened anew, and dated anew.

        Raises:
            StalledError: Nothing that says how it is now has come since ``timely`` for as long as a stall takes.
        """
        self._late += 1
        if now.monotonic_ns - timely.monotonic_ns > self._camera.stall_timeout_s * 1e9:
            address = public_address(self._camera.watched)
            raise StalledError(f"{address}: its pictures come more than {self._camera.max_age_s:g} s late")

    def _count(self, pixels: Pixels, *, still: bool, captured: Instant) -> None:
        height, width = pixels.shape[:2]
        with self._lock:
            before = self._status
            resized = before.width > 0 and (before.width, before.height) != (width, height)
            self._status = replace(
                before,
                frames_captured=before.frames_captured + 1,
                frames_still=before.frames_still + still,
                width=width,
                height=height,
                resizes=before.resizes + resized,
            )
        if resized:
            sizes = {"width": width, "height": height, "width_before": before.width, "height_before": before.height}
            log.warning("camera_resized", camera=self._camera.name, **sizes)
            self._on_event(Event("camera-resized", self._camera.name, captured, sizes))

    def _note_failure(self, error: SourceError) -> None:
        now = self._clock.now()
        healthy_ns = round(self._backoff.healthy_s * 1e9)
        if self._live_since is not None and now.monotonic_ns - self._live_since.monotonic_ns >= healthy_ns:
            self._failures = 0
        self._failures += 1
        changed = self._enter(error.state, str(error))
        if not changed and self._failures & (self._failures - 1) == 0:  # 2, 4, 8, ...
            log.warning("camera_still_away", camera=self._camera.name, failures=self._failures, detail=str(error))

    def _enter(self, state: CameraState, detail: str) -> bool:
        """Take on a state; where it is another than before, log it and tell who wants to know."""
        with self._lock:
            before = self._status
            returned = state is CameraState.LIVE and self._was_live
            self._was_live |= state is CameraState.LIVE
            since = before.since if before.state is state else self._clock.now()
            self._status = replace(
                before,
                state=state,
                detail=detail,
                since=since,
                reconnects=before.reconnects + returned,
                failures=_counted(before.failures, state),
            )
        if before.state is state:
            return False
        level = log.info if state in {CameraState.LIVE, CameraState.ENDED} else log.warning
        why = {"detail": detail} if detail else {}
        level("camera_state", camera=self._camera.name, state=str(state), before=str(before.state), **why)
        self._on_state(self._camera.name, self.status())
        return True

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait by the clock handed in, beating, until the time is over or ``stop`` is set."""
        end_ns = self._clock.now().monotonic_ns + round(seconds * 1e9)
        while (left_ns := end_ns - self._clock.now().monotonic_ns) > 0:
            self._beat()
            if stop.wait(min(left_ns / 1e9, _WAIT_SLICE_S)):
                return
