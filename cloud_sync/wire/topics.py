"""Topics: ``hedgerow/v1/{site}/{device}/{channel}``."""

import re
from dataclasses import dataclass
from enum import StrEnum

from cloud_sync.wire.errors import WireError

ROOT = "hedgerow/v1"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class Channel(StrEnum):
    """What a topic carries; the last level of the topic."""

    STATE = "state"  # retained, and the will
    BIRTH = "birth"  # retained
    HEALTH = "health"  # expires, not in the outbox
    EVENT = "event"
    ALARM = "alarm"
    CLOCK = "clock"  # by how much the times of a boot are off
    ROLLUP = "rollup"
    SHED = "shed"  # what the box gave up, by rule or because it could never be sent
    EVIDENCE = "evidence"
    ACK = "ack"  # down: cloud to box


DATA_CHANNELS = (Channel.ALARM, Channel.CLOCK, Channel.EVENT, Channel.SHED, Channel.ROLLUP, Channel.EVIDENCE)
"""Channels whose messages carry (stream, seq), come from the outbox and are acknowledged; most urgent first."""


@dataclass(frozen=True, slots=True)
class Box:
    """Names one box: both names match ``[a-z0-9][a-z0-9_-]{0,62}``."""

    site: str
    device: str

    def __post_init__(self) -> None:
        """Refuse names that would break a topic."""
        for value in (self.site, self.device):
            if not _NAME.fullmatch(value):
                raise WireError(f"{value!r} is no site or device name")

    def topic(self, channel: Channel) -> str:
        """Return the topic of one of this box's channels."""
        return f"{ROOT}/{self.site}/{self.device}/{channel}"


def parse_topic(topic: str) -> tuple[Box, Channel]:
    """Take a topic apart.

    Raises:
        WireError: It is not of the form ``hedgerow/v1/{site}/{device}/{channel}`` with a known channel.
    """
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT:
        raise WireError(f"topic {topic!r} is not {ROOT}/SITE/DEVICE/CHANNEL")
    try:
        channel = Channel(parts[4])
    except ValueError:
        raise WireError(f"topic {topic!r} names no known channel; known: {', '.join(Channel)}") from None
    return Box(parts[2], parts[3]), channel


def topic_filter(channel: Channel, *, site: str = "+", share: str | None = None) -> str:
    """Return the subscription for one channel of all boxes (of a site), shared by a group of workers if named."""
    prefix = f"$share/{share}/" if share else ""
    return f"{prefix}{ROOT}/{site}/+/{channel}"
