"""From a message of the broker to one that may be stored, or to the reason why not."""

from dataclasses import dataclass

from cloud_sync.mqtt import Arrived
from cloud_sync.wire import Box, Channel, Message, WireError, decode, parse_topic


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that is of the wire."""

    arrived: Arrived
    box: Box
    channel: Channel
    message: Message  # of the type of its channel


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is not, or is not allowed, or that the database will never take."""

    arrived: Arrived
    reason: str
    message: Incoming | None = None  # of the last kind: what it is, for its box is to be told


def read(arrived: Arrived, *, most_bytes: int | None = None) -> Incoming | Refused:
    """Decode one message of at most so many bytes; whatever is wrong with it is in the result."""
    if most_bytes is not None and len(arrived.payload) > most_bytes:
        return Refused(arrived, f"{len(arrived.payload)} bytes, where {most_bytes} are allowed")
    try:
        box, channel = parse_topic(arrived.topic)
        message = decode(channel, arrived.payload, arrived.encoding)
    except WireError as error:
        return Refused(arrived, str(error))
    return Incoming(arrived, box, channel, message)
