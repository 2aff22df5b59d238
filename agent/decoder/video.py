"""Video through PyAV: RTSP over TCP, HTTP, files and V4L2 devices.

PyAV drops FFmpeg's own log unless a program asks for it, which this one never does: nothing of it reaches stderr.
"""

import errno
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from agent.decoder.source import (
    BrokenError,
    Picture,
    RefusedError,
    SourceError,
    StalledError,
    UnauthorisedError,
    UnreachableError,
    UnsupportedError,
)
from agent.planes import Colour, Pixels, Plane, Planes
from agent.small import small_size
from agent.types import Image, Small

_PROBE_TIMEOUT_S = 3.0
_MOST_OF = 0.9  # of a timeout: FFmpeg looks at the time now and then
_FRESH_S = 0.005
_CATCH_UP_S = 2.0
_LONGEST_SKIP_S = 1.0  # whoever waits wants to hear now and then
_LONGEST_GOP_S = 30.0
_RTSP = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "fpsprobesize": "0",  # or it gathers two seconds of frames to guess a rate that is not needed
}
_MOST_PIXELS = 50_000_000  # six times 4K: beyond this a damaged head is speaking
_DEFAULT_STEP_NS = 40_000_000
_LONGEST_STEP_NS = 60_000_000_000  # a longer step between two frames is a jump of the time stamps, not a pause
_TIMELESS_FORMATS = {"mpjpeg", "mjpeg", "jpeg_pipe", "h264", "hevc"}  # their time stamps are made up by FFmpeg
_TEXT_ART = {"ansi", "bintext", "idf", "xbin"}  # FFmpeg would play any text file
_PLANAR = {f"yuv{full}{kind}p" for full in ("", "j") for kind in (420, 422, 444)}  # 8 bits a sample
_BT601 = (0.299, 0.114)
_SHARES = {  # of red and blue in the luma, by AVColorSpace; what says nothing is taken for BT.601, as FFmpeg does
    1: (0.2126, 0.0722),  # BT.709
    2: _BT601,
    4: (0.3, 0.11),  # FCC
    5: _BT601,
    6: _BT601,
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
}
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_GONE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOENT, errno.ENODEV, errno.ENXIO}


class VideoSource:
    """A video stream, decoded by the thread that reads it."""

    def __init__(self, address: str, *, timeout_s: float, keyframes_only: bool = False) -> None:
        """Remember where to look; ``open`` connects.

        Args:
            address: rtsp://, rtsps://, http://, https://, the path of a file, or /dev/videoN.
            timeout_s: How long to wait for the connection, and for each frame.
            keyframes_only: Decode nothing else: a camera's other pictures need those before them.
        """
        self._keyframes_only = keyframes_only
        self._address, self._timeout_s = address, timeout_s
        self._scheme = address.partition("://")[0].lower() if "://" in address else ""
        self._container: InputContainer | None = None
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._decoded: deque[VideoFrame] = deque()
        self._reformatter, self._small_reformatter = VideoReformatter(), VideoReformatter()
        self._times = _RecordedTimes(_DEFAULT_STEP_NS)
        self._index = self._skipped = 0
        self._last_ns: int | None = None
        self._opened_ns = 0
        self._recorded = self._timeless = self._caught_up = False

    @property
    def recorded(self) -> bool:
        """True for files and for what an HTTP server has in full."""
        return self._recorded

    @property
    def skipped(self) -> int:
        """Packets and frames that could not be decoded."""
        return self._skipped

    def open(self) -> None:
        """Connect, and learn what is in the stream. Raises SourceError."""
        started_ns = self._now_ns()
        try:
            container = self._connect()
        except FFmpegError as error:
            raise self._explained(error, self._waited_s(started_ns)) from None
        try:
            stream = self._chosen(container)
        except SourceError:
            container.close()
            raise
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        if self._keyframes_only:
            stream.codec_context.skip_frame = "NONKEY"
        self._container, self._packets, self._index = container, container.demux(stream), 0
        self._opened_ns, self._caught_up, self._last_ns = self._now_ns(), False, None
        self._recorded = not self._is_live(container)
        self._timeless = not self._recorded and container.format.name in _TIMELESS_FORMATS
        rate = stream.average_rate or stream.guessed_rate
        self._times = _RecordedTimes(round(1_000_000_000 / rate) if rate else _DEFAULT_STEP_NS)

    def _chosen(self, container: InputContainer) -> VideoStream:
        """Return the stream to watch. Raises SourceError."""
        videos = list(container.streams.video)
        if videos and all(stream.codec_context is None for stream in videos):
            raise self._error(UnsupportedError, "its video is coded in a way that cannot be decoded here")
        known = [stream for stream in videos if stream.codec_context is not None]
        stream = next((stream for stream in known if stream.codec_context.name not in _TEXT_ART), None)
        if stream is None:
            raise self._error(BrokenError, "holds no video")
        return stream

    def read(self, not_before_ns: int | None = None, /) -> Picture | None:
        """Return the next picture that can be decoded, or None at the end. Raises SourceError."""
        started_ns = self._now_ns()
        while (frame := self._next_frame()) is not None:
            if self._is_stale():
                continue
            index, self._index = self._index, self._index + 1
            before_ns, self._last_ns = self._last_ns, self._stream_ns(frame)
            if not _is_between(before_ns, self._last_ns, not_before_ns) or self._waited_s(started_ns) > _LONGEST_SKIP_S:
                return Picture(index, self._last_ns, partial(self._to_pixels, frame), partial(self._to_small, frame))
        return None

    def close(self) -> None:
        """Disconnect."""
        self._decoded.clear()
        self._packets = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None

    @property
    def _patience_s(self) -> float:
        """How long packets may come without a picture; key frames may be far apart."""
        return max(self._timeout_s, _LONGEST_GOP_S) if self._keyframes_only else self._timeout_s

    @property
    def _is_device(self) -> bool:
        return self._address.startswith("/dev/video")

    def _is_live(self, container: InputContainer) -> bool:
        """Whether nobody knows where the stream ends; an RTSP server plays in its own time even if it does."""
        return self._is_device or self._scheme.startswith("rtsp") or (bool(self._scheme) and not container.duration)

    def _connect(self) -> InputContainer:
        options = _RTSP if self._scheme.startswith("rtsp") else {}
        target = self._address if self._scheme or self._is_device else f"file:{self._address}"
        format_name = "v4l2" if self._is_device else None
        timeouts = (self._timeout_s, self._timeout_s)
        return av.open(target, format=format_name, options=options, timeout=timeouts, metadata_errors="replace")

    def _is_stale(self) -> bool:
        """Whether this may still be what had gathered while connecting: old frames that nobody can date.

        They come without delay; the first that had to be waited for is new. A box too slow ever to wait goes on
        after a while.
        """
        return not (self._recorded or self._caught_up or self._waited_s(self._opened_ns) > _CATCH_UP_S)

    def _next_frame(self) -> VideoFrame | None:
        started_ns, damaged = self._now_ns(), self._skipped
        while not self._decoded:
            packet = self._next_packet()
            if packet is None:
                if self._recorded and self._index == 0:
                    raise self._error(BrokenError, "holds no picture that can be decoded")
                return None
            self._decode(packet)
            if not self._decoded and not self._recorded and self._waited_s(started_ns) > self._patience_s:
                if self._skipped > damaged:
                    raise self._error(BrokenError, f"nothing could be decoded for {self._patience_s:g} s")
                if self._keyframes_only:
                    raise self._error(StalledError, f"no key frame for {self._patience_s:g} s; use another sampling")
                raise self._stalled()
        return self._decoded.popleft()

    def _next_packet(self) -> "Packet[VideoStream] | None":
        started_ns = self._now_ns()
        try:
            packet = next(self._packets, None)
        except (av.error.ExitError, av.error.TimeoutError):
            raise self._stalled() from None
        except FFmpegError as error:
            raise self._explained(error, self._waited_s(started_ns)) from None
        waited_s = self._waited_s(started_ns)
        if not self._recorded and waited_s > _MOST_OF * self._timeout_s:
            raise self._stalled()  # FFmpeg gave up, and hands out the part of a packet that it has
        self._caught_up |= waited_s > _FRESH_S
        return packet

    def _decode(self, packet: "Packet[VideoStream]") -> None:
        try:
            frames = packet.decode()
        except av.error.EOFError:
            return  # the decoder had nothing left to flush
        except FFmpegError:
            self._skipped += 1
            return
        if any(frame.width * frame.height > _MOST_PIXELS for frame in frames):
            raise self._error(UnsupportedError, f"its pictures have more than {_MOST_PIXELS // 10**6} million pixels")
        whole = [frame for frame in frames if not frame.is_corrupt]
        self._skipped += len(frames) - len(whole)
        self._decoded.extend(whole)

    def _stream_ns(self, frame: VideoFrame) -> int | None:
        stamp = None
        if frame.pts is not None and frame.time_base:
            stamp = frame.pts * 1_000_000_000 * frame.time_base.numerator // frame.time_base.denominator
        if self._recorded:
            return self._times.place(stamp)
        return None if self._timeless else stamp

    def _to_pixels(self, frame: VideoFrame) -> Pixels:
        """Return a picture as it was coded where that is what nearly all cameras do, else as BGR."""
        shares = _SHARES.get(frame.colorspace)
        if frame.format.name not in _PLANAR or shares is None or frame.rotation:
            return self._to_bgr(frame)
        full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
        luma, cb, cr = (_plane(each) for each in frame.planes)
        return Planes(luma, cb, cr, Colour(*shares, full=full))

    def _to_bgr(self, frame: VideoFrame) -> Image:
        reformat = partial(self._reformatter.reformat, format="bgr24", interpolation=Interpolation.FAST_BILINEAR)
        return self._converted(frame, partial(reformat, threads=1))

    def _to_small(self, frame: VideoFrame) -> Small:
        width, height = small_size(frame.width, frame.height)
        reformat = partial(self._small_reformatter.reformat, width=width, height=height, format="gray")
        return self._converted(frame, partial(reformat, interpolation=Interpolation.AREA, threads=1))

    def _converted(self, frame: VideoFrame, reformat: Callable[[VideoFrame], VideoFrame]) -> NDArray[np.uint8]:
        try:
            image = np.asarray(reformat(frame).to_ndarray(), np.uint8)
        except (FFmpegError, ValueError) as error:
            raise self._error(BrokenError, f"cannot convert {frame.format.name} pictures: {error}") from None
        return np.rot90(image, frame.rotation // 90) if frame.rotation % 90 == 0 else image

    def _waited_s(self, started_ns: int) -> float:
        return (self._now_ns() - started_ns) / 1e9

    def _now_ns(self) -> int:
        return time.monotonic_ns()

    def _stalled(self) -> SourceError:
        return self._error(StalledError, f"no picture for {self._timeout_s:g} s")

    def _error(self, kind: type[SourceError], reason: str) -> SourceError:
        return kind(reason)

    def _explained(self, error: FFmpegError, waited_s: float) -> SourceError:
        """Say what an error of FFmpeg means; where it is ambiguous, ask the network."""
        if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError | av.error.PermissionError):
            return self._error(UnauthorisedError, _one_line(error))
        if isinstance(error, av.error.DecoderNotFoundError | av.error.PatchWelcomeError):
            return self._error(UnsupportedError, _one_line(error))
        if error.errno == errno.ECONNREFUSED:
            return self._error(RefusedError, _one_line(error))
        if error.errno in _GONE:
            return self._error(UnreachableError, _one_line(error))
        if not isinstance(error, av.error.HTTPClientError | av.error.HTTPServerError):
            unanswered = self._unanswered()
            if unanswered is not None:
                return unanswered
            if self._scheme and waited_s > _MOST_OF * self._timeout_s:
                return self._error(StalledError, f"connected, but no answer for {self._timeout_s:g} s")
        return self._error(BrokenError, _one_line(error))

    def _unanswered(self) -> SourceError | None:
        """Try to connect to the server; FFmpeg tells neither an unknown host nor a silent network from bad data.

        Returns:
            What is wrong; None where somebody answers.
        """
        if self._scheme not in _PORTS:
            return None
        try:
            url = urlsplit(self._address)
            where = (url.hostname or "", url.port or _PORTS[self._scheme])
            with socket.create_connection(where, timeout=min(_PROBE_TIMEOUT_S, self._timeout_s)):
                return None
        except TimeoutError:
            return self._error(UnreachableError, "no answer from that host")
        except ValueError:
            reason = "not a valid address (special characters in a password are written as %XX)"
            return self._error(UnreachableError, reason)
        except ConnectionRefusedError as error:
            return self._error(RefusedError, (error.strerror or str(error)).lower())
        except OSError as error:
            return self._error(UnreachableError, (error.strerror or str(error)).lower())


def _is_between(before_ns: int | None, at_ns: int | None, until_ns: int | None) -> bool:
    """Whether a time lies after one and before another; a stream whose time is unknown or jumps back is never."""
    return before_ns is not None and at_ns is not None and until_ns is not None and before_ns < at_ns < until_ns


class _RecordedTimes:
    """Makes the time stamps of a recording rise from 0 without jumps, whatever the file says."""

    def __init__(self, usual_step_ns: int) -> None:
        self._usual_step_ns = usual_step_ns
        self._last_stamp: int | None = None
        self._time_ns: int | None = None

    def place(self, stamp_ns: int | None) -> int:
        step_ns = self._usual_step_ns
        if stamp_ns is not None and self._last_stamp is not None:
            given_ns = stamp_ns - self._last_stamp
            step_ns = given_ns if 0 < given_ns <= _LONGEST_STEP_NS else step_ns
        self._time_ns = 0 if self._time_ns is None else self._time_ns + step_ns
        self._last_stamp = stamp_ns
        return self._time_ns


def _plane(plane: VideoPlane) -> Plane:
    """Return a plane where it lies; its rows may be padded."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _one_line(error: FFmpegError) -> str:
    text = " ".join((error.strerror or type(error).__name__).split())
    return text[:1].lower() + text[1:]
