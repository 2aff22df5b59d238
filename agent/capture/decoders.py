"""The processes that decode: one for all cameras that do well, and one of its own for each that broke it."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from agent.decoder.source import DecoderLostError
from agent.decoder.wire import BEAT, Packet, receive

log = structlog.get_logger()

_SILENT_S = 5.0  # it beats twice a second
_START_S = 20.0  # a loaded box at its start
_END_S = 2.0
_DIE_S = 0.5
_ALONE_FIRST_S, _ALONE_MOST_S = 3600.0, 86_400.0
_PICTURE_BYTES = str(32 << 20)  # the most that glibc takes: 4K is 25 MB
_LEAN = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": _PICTURE_BYTES,
    "MALLOC_TRIM_THRESHOLD_": _PICTURE_BYTES,
}
"""No threads beyond those of the cameras, and little memory; but that of a picture is kept for the next one.

Given back and taken anew it is 1,500 page faults a picture of 1080p: 3.4 ms to convert it in place of 0.7.
"""

_CRASHED = re.compile(rb"^Current thread 0x([0-9a-f]+)", re.MULTILINE)


class Decoder:
    """One decoder process, from its start to its end. Safe to share between threads."""

    def __init__(self) -> None:
        """Start it; it takes a fraction of a second until it answers. Raises DecoderLostError."""
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._beat, self._crash = os.memfd_create("beat"), os.memfd_create("crash")
        os.ftruncate(self._beat, BEAT.size)
        self._started_ns = time.monotonic_ns()
        self._threads: dict[int, str] = {}
        self._ending = threading.Lock()
        self._ended = False
        self._culprit: str | None = None
        with control:
            self._process = self._begun((control.fileno(), self._beat, self._crash))

    def _begun(self, passed: tuple[int, int, int]) -> subprocess.Popen[bytes]:
        nowhere = subprocess.DEVNULL
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "agent.decoder", *map(str, passed)],
                pass_fds=passed,
                stdin=nowhere,
                stdout=nowhere,
                stderr=nowhere,
                env={**os.environ, **_LEAN},
            )
        except OSError as error:
            self._control.close()
            os.close(self._beat)
            os.close(self._crash)
            raise DecoderLostError(f"no decoder can be started: {error.strerror}") from None

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it can be used."""
        return not self._ended and self._process.poll() is None

    @property
    def silent(self) -> bool:
        """Whether it has not moved for seconds, though it should twice in each."""
        with self._ending:
            beat = b"" if self._ended else os.pread(self._beat, BEAT.size, 0)
        (beat_ns,) = BEAT.unpack(beat) if beat else (0,)
        since_ns, allowed_s = (beat_ns, _SILENT_S) if beat_ns else (self._started_ns, _START_S)
        return time.monotonic_ns() - since_ns > allowed_s * 1e9

    def connect(self, camera: str) -> socket.socket:
        """Return a new connection, served by a thread of its own there.

        Raises:
            DecoderLostError: The process does not answer; it is ended.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(self._control, [b"camera"], [theirs.fileno()])
            ours.settimeout(_START_S)
            self._threads[_thread_in(receive(ours))] = camera
        except (OSError, ValueError, KeyError, TypeError) as error:
            ours.close()
            self.end()
            raise DecoderLostError(f"the decoder does not start: {error or type(error).__name__}") from None
        return ours

    def end(self) -> None:
        """End it now, whatever it does. Ending twice is fine."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            self._control.close()
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # a driver may hold it in the kernel: leave it behind
                self._process.wait(_END_S)
            self._culprit = self._crashed_camera()
            os.close(self._beat)
            os.close(self._crash)

    def finish(self) -> None:
        """Let it end by itself, which it does when nobody controls it any more; wait a moment for that."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self.end()

    def has_ended(self) -> bool:
        """Whether it has ended by itself, as one has whose connections broke off; waits a moment for it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DIE_S)
        return self._process.poll() is not None

    def why(self) -> tuple[str, str | None]:
        """Say, of one that has ended by itself, how; and the camera whose thread crashed, where that is known."""
        code = self._process.poll() or 0
        self.end()
        return f"signal {-code}" if code < 0 else f"exit code {code}", self._culprit

    def _crashed_camera(self) -> str | None:
        found = _CRASHED.search(os.pread(self._crash, 1 << 20, 0))
        return self._threads.get(int(found[1], 16)) if found else None


def _thread_in(hello: Packet | None) -> int:
    if hello is None:
        raise ValueError("it ended at once")
    return int(hello.message["thread"])


@dataclass(slots=True)
class _Alone:
    """A camera that broke a decoder: until when it has one of its own, and for how long the next time."""

    until_ns: int = 0
    for_s: float = _ALONE_FIRST_S


@dataclass(slots=True)
class Decoders:
    """Hands out connections to decoder processes, and ends processes that hang. Safe to share between threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _shared: Decoder | None = None
    _alone: dict[str, _Alone] = field(default_factory=dict)
    _own: dict[str, Decoder] = field(default_factory=dict)
    _lost: int = 0

    @property
    def lost(self) -> int:
        """How many processes crashed or hung."""
        return self._lost

    def processes(self) -> Mapping[str, int]:
        """Return the process numbers: of the shared one under ``*``, and of those that cameras have for themselves."""
        with self._lock:
            running = {"*": self._shared, **self._own}
            return {name: decoder.pid for name, decoder in running.items() if decoder is not None and decoder.lives}

    def connect(self, camera: str) -> tuple[Decoder, socket.socket]:
        """Return a connection for a camera, and the process behind it, started if need be. Raises DecoderLostError."""
        with self._lock:
            decoder = self._decoder_of(camera)
        return decoder, decoder.connect(camera)

    def leave(self, camera: str, decoder: Decoder) -> None:
        """Take note that a camera does not need its process any more; one of its own ends."""
        with self._lock:
            if self._own.get(camera) is not decoder:
                return
            del self._own[camera]
        decoder.end()

    def broke(self, camera: str, decoder: Decoder, *, hangs: bool) -> str:
        """Deal with a process that crashed, or in which this camera's thread hangs; return what happened, in words."""
        with self._lock:
            if hangs:
                self._lose(decoder, "hangs", camera)
                return "the decoder hung on this camera, and was ended"
            if decoder.has_ended():
                how, culprit = decoder.why()
                self._lose(decoder, how, culprit)
                return f"the decoder ended with {how}" + (f", because of {culprit}" if culprit else "")
            if decoder.silent:
                self._lose(decoder, "hangs", None)
                return "the decoder did not move any more, and was ended"
            return "the decoder gave up on this camera"

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            running = [decoder for decoder in (self._shared, *self._own.values()) if decoder is not None]
            self._shared, self._own = None, {}
        for decoder in running:
            decoder.finish()

    def _decoder_of(self, camera: str) -> Decoder:
        alone = self._alone.get(camera)
        if alone is not None and time.monotonic_ns() < alone.until_ns:
            if camera not in self._own or not self._own[camera].lives:
                self._own[camera] = Decoder()
            return self._own[camera]
        if self._shared is None or not self._shared.lives:
            self._shared = Decoder()
        return self._shared

    def _lose(self, decoder: Decoder, how: str, culprit: str | None) -> None:
        """End a process, and forget it; what other cameras have of it breaks off, and they come for another one."""
        decoder.end()
        if decoder is not self._shared and decoder not in self._own.values():
            return  # another camera was first to notice
        log.error("decoder_lost", decoder=decoder.pid, how=how, camera=culprit)
        self._lost += 1
        self._shared = None if self._shared is decoder else self._shared
        self._own = {name: own for name, own in self._own.items() if own is not decoder}
        if culprit is not None:
            self._set_apart(culprit)

    def _set_apart(self, camera: str) -> None:
        """Give a camera a process of its own, each time for longer."""
        alone = self._alone.setdefault(camera, _Alone())
        alone.until_ns = time.monotonic_ns() + round(alone.for_s * 1e9)
        alone.for_s = min(_ALONE_MOST_S, 2 * alone.for_s)
        log.warning("camera_decoded_apart", camera=camera)
