"""Capture: from a camera, a file, a folder or a simulated orchard to the newest frame. See DESIGN.md."""

from agent.capture.factory import create_source
from agent.capture.grabber import Backoff, Grabber
from agent.capture.replay import replay
from agent.capture.slot import FrameSlot
from agent.capture.source import (
    BrokenError,
    EndedError,
    Picture,
    Source,
    SourceError,
    StalledError,
    UnauthorisedError,
    UnreachableError,
)

__all__ = [
    "Backoff",
    "BrokenError",
    "EndedError",
    "FrameSlot",
    "Grabber",
    "Picture",
    "Source",
    "SourceError",
    "StalledError",
    "UnauthorisedError",
    "UnreachableError",
    "create_source",
    "replay",
]
