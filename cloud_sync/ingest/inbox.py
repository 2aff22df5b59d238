"""From a message of the broker to one that may be stored, or to the reason why not."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from cloud_sync.mqtt import Arrived
from cloud_sync.wire import Box, Channel, Message, RollupMessage, WireError, decode, parse_topic


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that is of the wire."""

    arrived: Arrived
    box: Box
    channel: Channel
    message: Message  # of the type of its channel


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is not, or is not allowed."""

    arrived: Arrived
    reason: str


def read(arrived: Arrived) -> Incoming | Refused:
    """Decode one message; whatever is wrong with it is in the result."""
    try:
        box, channel = parse_topic(arrived.topic)
        message = decode(channel, arrived.payload, arrived.encoding)
    except WireError as error:
        return Refused(arrived, str(error))
    if any("\0" in words for words in _texts(message)):
        return Refused(arrived, f"{channel}: a text has the character NUL in it, which no database of ours can hold")
    return Incoming(arrived, box, channel, message)


def _texts(message: Message) -> Iterable[str]:
    """Return the texts of a message; of a rollup's many rows each name once."""
    if isinstance(message, RollupMessage):
        columns = (message.columns.camera, message.columns.zone, message.columns.class_name, message.columns.place)
        beside = message.measures
        more = (beside.camera, beside.zone, beside.class_name, beside.name) if beside is not None else ()
        return set(chain(*columns, *more))
    return _texts_in(message.model_dump(exclude={"jpeg"}))


def _texts_in(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts_in([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts_in(one)
