"""From outbox entries to one message that fits the broker."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from cloud_sync.mqtt import Outgoing
from cloud_sync.outbox import Entry
from cloud_sync.wire import Box, Channel, Envelope, EventMessage, RollupMessage, columns_of, encode, measure_columns_of


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
        message = _message(stream, entries)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnsendableError(f"not a valid {channel}: {where}: {first['msg']}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise UnsendableError(f"not a valid {channel}: {error}") from None
    outgoing = Outgoing(box.topic(channel), encode(message))
    size_bytes = outgoing.packet_bytes()
    if size_bytes > max_packet_bytes:
        raise UnsendableError(f"a packet of {size_bytes} bytes, where {max_packet_bytes} are allowed")
    return Parcel(channel, entries[0].seq, entries[-1].seq, outgoing, size_bytes)


def _message(stream: str, entries: Sequence[Entry]) -> Envelope:
    first = entries[0]
    if first.channel is Channel.ROLLUP:
        measures = [row for entry in entries for row in entry.measures()]
        return RollupMessage(
            stream=stream,
            seq=first.seq,
            count=len(entries),
            boot=first.boot,
            columns=columns_of(row for entry in entries for row in entry.rows()),
            measures=measure_columns_of(measures) if measures else None,
        )
    fields = {**first.fields(), "stream": stream, "seq": first.seq, "boot": first.boot}
    return EventMessage.model_validate(fields)
