"""From outbox entries to one message that fits the broker."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from cloud_sync.mqtt import Outgoing
from cloud_sync.outbox import Entry
from cloud_sync.wire import (
    MESSAGE_OF_CHANNEL,
    Box,
    Channel,
    Encoded,
    Envelope,
    RollupMessage,
    check_texts,
    columns_of,
    encode,
    encode_json,
    measure_columns_of,
)


class UnsendableError(Exception):
    """These entries cannot go out as one message; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message with the entries ``first`` to ``last``."""

    channel: Channel
    first: int
    last: int
    message: Outgoing
    size_bytes: int


def pack(box: Box, stream: str, entries: Sequence[Entry], *, max_packet_bytes: int) -> Parcel:
    """Make one message of entries.

    Args:
        box: Who sends it.
        stream: The outbox's.
        entries: One, or several rollups with consecutive seqs and the same boot.
        max_packet_bytes: What the broker takes.

    Raises:
        UnsendableError: A body is not what its channel carries, or the packet is too large. Fewer entries may do.
    """
    channel = entries[0].channel
    try:
        encoded = _joined(stream, entries) if channel is Channel.ROLLUP else _alone(stream, entries[0])
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise UnsendableError(f"not a valid {channel}: {where}: {first['msg']}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise UnsendableError(f"not a valid {channel}: {error}") from None
    outgoing = Outgoing(box.topic(channel), encoded)
    size_bytes = outgoing.packet_bytes()
    if size_bytes > max_packet_bytes:
        raise UnsendableError(f"a packet of {size_bytes} bytes, where {max_packet_bytes} are allowed")
    return Parcel(channel, entries[0].seq, entries[-1].seq, outgoing, size_bytes)


def _joined(stream: str, entries: Sequence[Entry]) -> Encoded:
    first = entries[0]
    measures = [row for entry in entries for row in entry.measures()]
    message = RollupMessage(
        stream=stream,
        seq=first.seq,
        count=len(entries),
        boot=first.boot,
        columns=columns_of(row for entry in entries for row in entry.rows()),
        measures=measure_columns_of(measures) if measures else None,
    )
    check_texts(message)
    return encode(message)


def _alone(stream: str, entry: Entry) -> Encoded:
    """Put the envelope in front of the body as it is stored: to read and write it anew would double the work."""
    envelope = f'{{"v":1,"stream":"{stream}","seq":{entry.seq},"boot":{entry.boot},'
    plain = envelope.encode() + entry.body.lstrip().removeprefix(b"{")
    message = MESSAGE_OF_CHANNEL[entry.channel].model_validate_json(plain)
    assert isinstance(message, Envelope)
    if (message.stream, message.seq, message.boot) != (stream, entry.seq, entry.boot):
        raise ValueError("the body has an envelope of its own")
    check_texts(message)
    return encode_json(plain)
