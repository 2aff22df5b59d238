"""The decoder process: one thread a camera, which does what the agent asks for on that camera's connection.

It ends when the agent does: its control connection is closed then, whatever happened to the agent.
"""

import faulthandler
import mmap
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent.decoder.segments import Segments
from agent.decoder.source import Picture, SourceError
from agent.decoder.video import VideoSource
from agent.decoder.wire import BEAT, Packet, receive, send
from agent.planes import Planes

_BEAT_S = 0.5
_FIRST_TO_GO = "500"  # of 1000: when memory is short, decoders can be started again


def run(control_fd: int, beat_fd: int, crash_fd: int) -> None:
    """Serve until the agent is gone.

    Args:
        control_fd: A socket on which connections of cameras come.
        beat_fd: Shared memory for the time of the last beat.
        crash_fd: A file for the word of which thread crashed.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they go to all processes of the service; the agent says when to end
    faulthandler.enable(file=crash_fd)
    _offer_to_go_first()
    control, beat = socket.socket(fileno=control_fd), mmap.mmap(beat_fd, BEAT.size)
    control.settimeout(_BEAT_S)
    while True:
        BEAT.pack_into(beat, 0, time.monotonic_ns())
        try:
            data, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        except TimeoutError:
            continue
        except OSError:
            data, descriptors = b"", []
        if not data:
            os._exit(0)  # threads may hang in native code
        connection = socket.socket(fileno=descriptors[0])
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _offer_to_go_first() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    except OSError:
        return  # a kernel without: then it goes when its turn comes


def _serve(connection: socket.socket) -> None:
    """Do what is asked on one connection, until it is closed."""
    session = _Session()
    with connection:
        try:
            send(connection, {"thread": threading.get_ident()})
            while (packet := receive(connection)) is not None:
                session.answer(connection, packet)
        except OSError:
            pass  # the agent has let go of it
        finally:
            session.close()


class _Session:
    """One camera: its source, its last picture, its memory."""

    def __init__(self) -> None:
        self._source: VideoSource | None = None
        self._picture: Picture | None = None
        self._segments = Segments()

    def answer(self, connection: socket.socket, packet: Packet) -> None:
        """Do one thing, and say what came of it. Raises OSError where nobody listens any more."""
        try:
            message, payload, descriptor = _WORK[packet.message["do"]](self, packet.message)
        except SourceError as error:
            message, payload, descriptor = {"error": type(error).__name__, "reason": str(error)}, b"", None
        except (MemoryError, OSError) as error:
            message, payload, descriptor = {"error": "BrokenError", "reason": f"no memory: {error}"}, b"", None
        message["skipped"] = self._source.skipped if self._source is not None else 0
        try:
            send(connection, message, payload, fd=descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def close(self) -> None:
        """Disconnect from the camera."""
        if self._source is not None:
            self._source.close()
        self._source = self._picture = None
        self._segments.close()

    def _open(self, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes, None]:
        self._source = VideoSource(
            asked["address"], timeout_s=asked["timeout_s"], keyframes_only=asked["keyframes_only"]
        )
        self._source.open()
        return {"recorded": self._source.recorded}, b"", None

    def _read(self, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes, None]:
        self._segments.release(asked["freed"])
        assert self._source is not None
        self._picture = None  # its buffers go back to the decoder, which fills them again
        picture = self._picture = self._source.read(asked["not_before_ns"])
        if picture is None:
            return {"end": True}, b"", None
        small, payload, _ = self._small(asked) if asked["small"] else ({}, b"", None)
        return {"index": picture.index, "stream_ns": picture.stream_ns, **small}, payload, None

    def _small(self, _asked: dict[str, Any]) -> tuple[dict[str, Any], bytes, None]:
        assert self._picture is not None
        small = self._picture.to_small()
        return {"small": small.shape}, small.tobytes(), None

    def _image(self, _asked: dict[str, Any]) -> tuple[dict[str, Any], bytes, int | None]:
        assert self._picture is not None
        pixels = self._picture.to_pixels()
        if not isinstance(pixels, Planes):
            message, descriptor = self._segments.write([pixels])
            return message, b"", descriptor
        message, descriptor = self._segments.write(pixels.planes)
        return {**message, "colour": asdict(pixels.colour)}, b"", descriptor


_WORK: dict[str, Callable[[_Session, dict[str, Any]], tuple[dict[str, Any], bytes, int | None]]] = {
    "open": _Session._open,  # noqa: SLF001  beside the class: in each session it would be a cycle, and keep its memory
    "read": _Session._read,  # noqa: SLF001
    "image": _Session._image,  # noqa: SLF001
    "small": _Session._small,  # noqa: SLF001
}
