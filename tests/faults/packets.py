"""MQTT packets as they lie in a stream of bytes.

Source: MQTT 5.0, section 2.1 (fixed header) and 3.3 (PUBLISH).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from cloud_sync.wire import DATA_CHANNELS, Channel, Envelope, WireError, decode, parse_topic


class Kind(IntEnum):
    """The type of a packet, as its first four bits have it."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


@dataclass(frozen=True, slots=True)
class Packet:
    """One whole packet."""

    data: bytes

    @property
    def kind(self) -> int:
        """Return its type; one of ``Kind``, as far as this project uses it."""
        return self.data[0] >> 4

    @property
    def topic(self) -> str:
        """Return the topic of a PUBLISH, nothing for others."""
        if self.kind != Kind.PUBLISH:
            return ""
        start = _body_at(self.data)
        length = int.from_bytes(self.data[start : start + 2])
        return self.data[start + 2 : start + 2 + length].decode()

    @property
    def channel(self) -> Channel | None:
        """Return the channel of a PUBLISH of ours."""
        try:
            return parse_topic(self.topic)[1]
        except WireError:
            return None

    def entries(self) -> Iterator[tuple[str, int]]:
        """Name the outbox entries that a data message carries: stream and seq of each."""
        channel = self.channel
        if channel not in DATA_CHANNELS:
            return
        try:
            message = decode(channel, self._payload())
        except WireError:
            return
        assert isinstance(message, Envelope)
        for seq in range(message.seq, message.last_seq + 1):
            yield message.stream, seq

    def _payload(self) -> bytes:
        """Return what is behind topic, packet identifier (QoS 1 has one) and properties."""
        at = _body_at(self.data) + 2 + len(self.topic.encode())
        at += 2 if self.data[0] & 0x06 else 0
        length, size = _varint(self.data, at)
        return self.data[at + size + length :]


class Splitter:
    """Cuts what arrives, in pieces of any size, into whole packets."""

    def __init__(self) -> None:
        """Start at the beginning of a connection."""
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Add bytes; return the packets that are whole now."""
        self._rest += data
        while (size := self._size()) is not None and len(self._rest) >= size:
            yield Packet(bytes(self._rest[:size]))
            del self._rest[:size]

    def _size(self) -> int | None:
        """Return the size of the first packet, if its header is there."""
        try:
            length, size = _varint(self._rest, 1)
        except IndexError:
            return None
        return 1 + size + length


def _body_at(data: bytes) -> int:
    return 1 + _varint(data, 1)[1]


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the value of a variable byte integer, and how many bytes it takes."""
    value, size = 0, 0
    while True:
        byte = data[at + size]
        value |= (byte & 0x7F) << (7 * size)
        size += 1
        if not byte & 0x80:
            return value, size
