"""Capture: from a camera, a file, a folder or a simulated orchard to the newest frame. See DESIGN.md."""

from agent.capture.decoders import Decoders
from agent.capture.factory import create_source
from agent.capture.grabber import Backoff, Grabber
from agent.capture.replay import replay
from agent.capture.slot import FrameSlot
from agent.decoder.source import (
    BrokenError,
    DecoderLostError,
    EndedError,
    Picture,
    RefusedError,
    Source,
    SourceError,
    StalledError,
    UnauthorisedError,
    UnreachableError,
    UnsupportedError,
)

__all__ = [
    "Backoff",
    "BrokenError",
    "DecoderLostError",
    "Decoders",
    "EndedError",
    "FrameSlot",
    "Grabber",
    "Picture",
    "RefusedError",
    "Source",
    "SourceError",
    "StalledError",
    "UnauthorisedError",
    "UnreachableError",
    "UnsupportedError",
    "create_source",
    "replay",
]
