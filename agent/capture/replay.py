"""A recording as fast as its reader takes it."""

from collections.abc import Generator, Iterator

from agent.capture.ahead import read_ahead
from agent.capture.decoders import Decoders
from agent.capture.factory import create_source
from agent.capture.timeline import Playback, on_stream
from agent.clock import Clock
from agent.config import CameraConfig, public_address
from agent.decoder.source import BrokenError
from agent.sampling import Sampling
from agent.types import Frame


def replay(camera: CameraConfig, clock: Clock, decoders: Decoders | None = None) -> Iterator[Frame]:
    """Yield the frames of a recording, once, at most ``camera.fps`` a second of its own time; none is dropped.

    Frames are dated by the recording's time, counted from now: a later stage sees the same intervals as if it had
    watched, however fast or slow it is. A simulated orchard has no end: stop reading. The next frame is decoded while
    the last one is analysed.

    Raises:
        ConfigError: The address is wrong.
        SourceError: The recording cannot be opened or read on, or is live.
    """
    return read_ahead(_frames(camera, clock, decoders))


def _frames(camera: CameraConfig, clock: Clock, decoders: Decoders | None) -> Generator[Frame]:
    source = create_source(camera.model_copy(update={"loop": False}), decoders)
    try:
        source.open()
        if not source.recorded:
            raise BrokenError(f"{public_address(camera.watched)}: is live; only a recording can be replayed")
        start = clock.now()
        playback, sampler = Playback(start, keep_up=False), Sampling.parse(camera.sampling).sampler()
        not_before_ns = None
        while (picture := source.read(not_before_ns)) is not None:
            captured = playback.place(picture.stream_ns, start)
            if sampler.wants(captured.monotonic_ns):
                yield Frame(camera.name, picture.index, captured, picture.to_pixels())
            not_before_ns = on_stream(sampler.not_before_ns, captured, picture.stream_ns)
    finally:
        source.close()
