"""Tracking: detections frame by frame in, tracks with lasting ids out. See DESIGN.md in this folder."""

from agent.tracking.bytetrack import ByteTrack
from agent.tracking.params import TrackerParams

__all__ = ["ByteTrack", "TrackerParams"]
