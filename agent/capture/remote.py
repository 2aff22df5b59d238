"""A video stream that another process decodes."""

import os
import socket
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.capture.decoders import Decoder, Decoders
from agent.config import public_address
from agent.decoder import source as sources
from agent.decoder.segments import MappedSegments
from agent.decoder.source import BrokenError, DecoderLostError, Picture, SourceError
from agent.decoder.wire import Packet, receive, send
from agent.planes import Colour, Pixels, Planes
from agent.types import Small

_LOOK_S = 0.5
_GRACE_S = 5.0  # beyond the time after which FFmpeg gives up, and the decoder says so
_KEYFRAMES_S = 30.0  # a decoder waits so long for a key frame
_CONVERT_S = 10.0
_ERRORS = {
    kind.__name__: kind for kind in vars(sources).values() if isinstance(kind, type) and issubclass(kind, SourceError)
}


class RemoteSource:
    """Video from a file, a device or the network. FFmpeg runs in a decoder process: here nothing of it can crash."""

    def __init__(
        self, camera: str, address: str, decoders: Decoders | None, *, timeout_s: float, keyframes_only: bool
    ) -> None:
        """Remember where to look; ``open`` connects.

        Args:
            camera: For whom; the decoders set a camera apart that breaks them.
            address: rtsp://, rtsps://, http://, https://, the path of a file, or /dev/videoN.
            decoders: Where it is decoded; None: in a process of its own.
            timeout_s: How long to wait for the connection, and for each frame.
            keyframes_only: Decode nothing else.
        """
        self._camera, self._address = camera, address
        self._decoders, self._mine = decoders or Decoders(), decoders is None
        self._timeout_s, self._keyframes_only = timeout_s, keyframes_only
        self._decoder: Decoder | None = None
        self._connection: socket.socket | None = None
        self._memory = MappedSegments()
        self._recorded = False
        self._wants_small = False  # who asked for that of one picture asks for the next one's: then it comes unasked
        self._skipped = self._skipped_before = 0

    @property
    def recorded(self) -> bool:
        """True for files and for what an HTTP server has in full."""
        return self._recorded

    @property
    def skipped(self) -> int:
        """Packets and frames that could not be decoded."""
        return self._skipped_before + self._skipped

    def open(self) -> None:
        """Connect, and learn what is in the stream. Raises SourceError."""
        self._hang_up()
        try:
            self._decoder, self._connection = self._decoders.connect(self._camera)
        except DecoderLostError as error:
            raise self._named(error) from None
        self._memory = MappedSegments()
        asked = {"do": "open", "address": self._address, "timeout_s": self._timeout_s}
        answer = self._ask({**asked, "keyframes_only": self._keyframes_only}, 2 * self._timeout_s + _GRACE_S)
        self._recorded = answer.message.get("recorded") is True

    def read(self, not_before_ns: int | None = None, /) -> Picture | None:
        """Return the next picture that can be decoded, or None at the end. Raises SourceError."""
        asked = {"do": "read", "freed": self._memory.freed(), "not_before_ns": not_before_ns}
        answer = self._ask({**asked, "small": self._wants_small}, self._read_s + _GRACE_S)
        if "end" in answer.message:
            return None
        index, stream_ns = answer.message.get("index"), answer.message.get("stream_ns")
        if not (isinstance(index, int) and (stream_ns is None or isinstance(stream_ns, int))):
            raise self._nonsense()
        small = self._shrunk(answer) if self._wants_small else None
        return Picture(index, stream_ns, self._pixels, lambda: self._small() if small is None else small)

    def close(self) -> None:
        """Disconnect."""
        self._hang_up()
        if self._mine:
            self._decoders.close()

    @property
    def _read_s(self) -> float:
        return max(self._timeout_s, _KEYFRAMES_S) if self._keyframes_only else self._timeout_s

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._decoder is not None:
            self._decoders.leave(self._camera, self._decoder)
            self._decoder = None
        self._skipped_before, self._skipped = self.skipped, 0

    def _pixels(self) -> Pixels:
        answer = self._ask({"do": "image"}, _CONVERT_S)
        try:
            return _picture_of(self._memory.parts(answer.message, answer.descriptor), answer.message.get("colour"))
        except (KeyError, TypeError, ValueError, OSError):
            raise self._nonsense() from None
        finally:
            if answer.descriptor is not None:
                os.close(answer.descriptor)

    def _small(self) -> Small:
        self._wants_small = True
        return self._shrunk(self._ask({"do": "small"}, _CONVERT_S))

    def _shrunk(self, answer: Packet) -> Small:
        try:
            height, width = answer.message["small"]
            return np.frombuffer(answer.payload, np.uint8).reshape(height, width)
        except (KeyError, TypeError, ValueError):
            raise self._nonsense() from None

    def _nonsense(self) -> SourceError:
        return self._named(BrokenError("the decoder said what makes no sense"))

    def _ask(self, message: dict[str, Any], patience_s: float) -> Packet:
        """Have the decoder do something, and wait for its answer. Raises SourceError."""
        assert self._connection is not None
        assert self._decoder is not None
        try:
            send(self._connection, message)
            answer = self._answer(self._connection, self._decoder, patience_s)
        except (OSError, ValueError):
            answer = None
        if answer is None:
            what = self._decoders.broke(self._camera, self._decoder, hangs=False)
            raise self._named(DecoderLostError(what))
        skipped = answer.message.get("skipped")
        self._skipped = skipped if isinstance(skipped, int) else self._skipped
        if "error" in answer.message:
            kind = _ERRORS.get(str(answer.message["error"]), BrokenError)
            raise self._named(kind(str(answer.message.get("reason"))))
        return answer

    def _answer(self, connection: socket.socket, decoder: Decoder, patience_s: float) -> Packet | None:
        """Wait, and look now and then whether the decoder moves at all; None where it does not, or has gone."""
        end_s = time.monotonic() + patience_s
        connection.settimeout(_LOOK_S)
        while True:
            try:
                return receive(connection)
            except TimeoutError:
                if decoder.silent:
                    return None
                if time.monotonic() > end_s:
                    what = self._decoders.broke(self._camera, decoder, hangs=True)
                    raise self._named(DecoderLostError(what)) from None

    def _named(self, error: SourceError) -> SourceError:
        return type(error)(f"{public_address(self._address)}: {error}")


def _picture_of(parts: list[NDArray[np.uint8]], colour: Any) -> Pixels:
    """Put a picture together. Raises KeyError, TypeError or ValueError where the parts are none."""
    if colour is not None:
        luma, cb, cr = parts
        return Planes(luma, cb, cr, Colour(float(colour["red"]), float(colour["blue"]), colour["full"] is True))
    (image,) = parts
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture of {image.shape}")
    return image
