"""The two packets that go by the thousand: a PUBLISH at QoS 1, and its PUBACK. Pure: bytes in, bytes out.

paho makes and reads all others. Of these two it makes a handful of objects each, and asks the socket for each byte of
a header: that was half of what a message cost.

Source: MQTT 5.0, sections 1.5.5, 2.1, 3.3 and 3.4; MQTT 3.1.1, sections 2.2, 3.3 and 3.4.
"""

from functools import lru_cache

from cloud_sync.mqtt.events import Delivered

_PUBLISH = b"\x32"  # at QoS 1
_PUBLISH_RETAINED = b"\x33"
_PUBACK = 0x40
_LONGEST_LENGTH = 4  # bytes of a remaining length


@lru_cache(maxsize=1024)
def encoded_length(size_bytes: int) -> bytes:
    """Return a remaining length as it travels: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while size_bytes > 0x7F:
        encoded.append(size_bytes & 0x7F | 0x80)
        size_bytes >>= 7
    encoded.append(size_bytes)
    return bytes(encoded)


def publish_packet(topic: bytes, mid: int, properties: bytes, payload: bytes, *, retain: bool) -> bytes:
    """Return a PUBLISH at QoS 1.

    Args:
        topic: With its length in front.
        mid: The packet identifier.
        properties: With their length in front; empty for MQTT 3.1.1, which has none.
        payload: Of the message.
        retain: Whether the broker keeps it.
    """
    remaining = encoded_length(len(topic) + 2 + len(properties) + len(payload))
    first = _PUBLISH_RETAINED if retain else _PUBLISH
    return b"".join((first, remaining, topic, mid.to_bytes(2, "big"), properties, payload))


class Inbox:
    """Cuts what comes into packets, wherever the pieces end."""

    def __init__(self, *, modern: bool) -> None:
        """Start empty; ``modern`` is MQTT 5, whose PUBACKs may have a reason and properties."""
        self._modern = modern
        self._bytes = bytearray()

    def add(self, piece: bytes) -> None:
        """Take what has come."""
        self._bytes += piece

    def take(self) -> list[Delivered | bytes]:
        """Return the packets that are whole, in their order: PUBACKs as what they say, the others as they came.

        What is no packet, or a PUBACK that is not in order, comes as it is: paho knows what to say of it.
        """
        data, at, packets = self._bytes, 0, list[Delivered | bytes]()
        while len(data) - at >= 2:
            if data[at] == _PUBACK and data[at + 1] == 2:  # nearly all
                if len(data) - at < 4:
                    break
                packets.append(Delivered(data[at + 2] << 8 | data[at + 3], 0))
                at += 4
                continue
            begin, end = _body(data, at)
            if end > len(data):
                break
            packets.append(self._read(data[at], bytes(data[begin:end])) or bytes(data[at:end]))
            at = end
        del data[:at]
        return packets

    def _read(self, first: int, body: bytes) -> Delivered | None:
        """Return what a PUBACK says."""
        if first != _PUBACK or len(body) < 2 or (len(body) > 2 and not self._modern):
            return None
        if len(body) > 3 and not _is_whole(body[3:]):
            return None
        return Delivered(int.from_bytes(body[:2], "big"), body[2] if len(body) > 2 else 0)


def _body(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return where the packet at ``at`` has its body and where it ends; beyond the data where that is not known yet.

    A remaining length that does not end after four bytes ends what can be read at all: the rest is one packet.
    """
    size_bytes = 0
    for number, byte in enumerate(data[at + 1 : at + 1 + _LONGEST_LENGTH]):
        size_bytes |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            begin = at + 2 + number
            return begin, begin + size_bytes
    begin = at + 1 + _LONGEST_LENGTH
    return begin, max(len(data), begin)


def _is_whole(properties: bytes) -> bool:
    """Tell whether properties are as long as they say."""
    _, end = _body(b"\0" + properties, 0)
    return end == len(properties) + 1
