"""A message on its way to the broker, and its exact size there."""

from dataclasses import dataclass
from functools import cache

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud_sync.wire import CONTENT_TYPE, ENCODING_PROPERTY, Encoded


class Packed(Properties):
    """Properties whose bytes are made once: paho takes longer over them than over the rest of a message."""

    def __init__(self, packet_type: int, encoding: str | None, expiry_s: int | None) -> None:
        super().__init__(packet_type)  # type: ignore[no-untyped-call]  # paho leaves its properties untyped
        self.ContentType = CONTENT_TYPE
        if encoding is not None:
            self.UserProperty = (ENCODING_PROPERTY, encoding)
        if expiry_s is not None:
            self.MessageExpiryInterval = expiry_s
        object.__setattr__(self, "packed", bytes(super().pack()))  # type: ignore[no-untyped-call]  # as above

    def pack(self) -> bytes:
        """Return the bytes, with their length in front."""
        packed: bytes = object.__getattribute__(self, "packed")
        return packed


@cache
def _properties(packet_type: int, encoding: str | None, expiry_s: int | None) -> Packed:
    """Return one of the few that there are: two encodings, and the expiry of health."""
    return Packed(packet_type, encoding, expiry_s)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One PUBLISH at QoS 1."""

    topic: str
    encoded: Encoded
    retain: bool = False
    expiry_s: int | None = None

    def properties(self, packet_type: int = PacketTypes.PUBLISH) -> Packed:
        """Return the MQTT 5 properties, for a publish or for a will. They are shared: change nothing."""
        return _properties(packet_type, self.encoded.encoding, self.expiry_s)

    def packet_bytes(self) -> int:
        """Return the size of the whole packet, as a broker measures it against its Maximum Packet Size.

        Source: MQTT 5.0, sections 2.1 and 3.3: fixed header, topic, packet identifier, properties, payload. MQTT 3.1.1
        has no properties and names no limit; there it is a few bytes less.
        """
        topic_bytes = 2 + len(self.topic.encode())
        remaining = topic_bytes + 2 + len(self.properties().pack()) + len(self.encoded.payload)
        length_bytes = 1 + (remaining > 0x7F) + (remaining > 0x3FFF) + (remaining > 0x1FFFFF)
        return 1 + length_bytes + remaining
