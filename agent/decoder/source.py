"""What every source of pictures can do, and how it can fail."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from agent.errors import RetryableError
from agent.planes import Pixels
from agent.types import CameraState, Small


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture of a stream, not yet converted: most pictures of a fast camera are never wanted.

    ``index`` counts the pictures of the stream since it was opened, from 0. ``stream_ns`` is the stream's own time
    of it, from any origin; None where the stream has none that can be trusted. ``to_pixels`` fetches it, at most
    once; ``to_small`` gives its small luma, much cheaper. Call both before the next ``read``. Both may raise
    SourceError.
    """

    index: int
    stream_ns: int | None
    to_pixels: Callable[[], Pixels]
    to_small: Callable[[], Small]


class Source(Protocol):
    """A stream of pictures, used by one thread. It may be opened again after it was closed, and then begins anew."""

    @property
    def recorded(self) -> bool:
        """Whether it waits for its reader, as a file does, and has times of its own to be played at.

        Otherwise pictures come when they come, as from a camera. Known once it is open.
        """
        ...

    @property
    def skipped(self) -> int:
        """How many pictures or packets were damaged and left out so far."""
        ...

    def open(self) -> None:
        """Connect. Raises SourceError."""
        ...

    def read(self, not_before_ns: int | None = None, /) -> Picture | None:
        """Return the next picture, or None at the end of the stream. Raises SourceError.

        Pictures that follow the last one and come before ``not_before_ns`` of the stream's time may be left out. They
        have their numbers nevertheless.
        """
        ...

    def close(self) -> None:
        """Let go of everything; also when it is not open."""
        ...


class SourceError(RetryableError):
    """A source gave no picture. The message is one line; outside the decoder it names the address, no credentials."""

    state: ClassVar[CameraState] = CameraState.FAILED


class RefusedError(SourceError):
    """A machine answers at that address, but takes no connection there."""

    state = CameraState.REFUSED


class UnsupportedError(SourceError):
    """Its video is of a kind that cannot be decoded here."""

    state = CameraState.UNSUPPORTED


class DecoderLostError(SourceError):
    """The process that decoded it crashed or hung, because of it or of another camera, and was ended."""

    state = CameraState.DECODER_LOST


class UnreachableError(SourceError):
    """Nobody answers at that address, or there is no such file or device."""

    state = CameraState.UNREACHABLE


class UnauthorisedError(SourceError):
    """The camera, server or system wants other credentials."""

    state = CameraState.UNAUTHORISED


class StalledError(SourceError):
    """Connected, but no picture came within the timeout."""

    state = CameraState.STALLED


class BrokenError(SourceError):
    """The data cannot be read or decoded."""

    state = CameraState.FAILED


class EndedError(SourceError):
    """A live stream was ended by the other side."""

    state = CameraState.ENDED
