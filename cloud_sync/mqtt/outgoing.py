"""A message on its way to the broker, and its exact size there."""

from dataclasses import dataclass
from functools import cache, lru_cache

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud_sync.mqtt.packets import encoded_length, publish_packet
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

    def packet(self, mid: int, *, modern: bool) -> bytes:
        """Return the packet; ``modern`` is MQTT 5, MQTT 3.1.1 has no properties."""
        properties = self.properties().pack() if modern else b""
        return publish_packet(_topic(self.topic), mid, properties, self.encoded.payload, retain=self.retain)

    def packet_bytes(self) -> int:
        """Return the size of the whole packet, as a broker measures it against its Maximum Packet Size.

        Source: MQTT 5.0, sections 2.1 and 3.3: fixed header, topic, packet identifier, properties, payload. MQTT 3.1.1
        has no properties and names no limit; there it is a few bytes less.
        """
        remaining = len(_topic(self.topic)) + 2 + len(self.properties().pack()) + len(self.encoded.payload)
        return 1 + len(encoded_length(remaining)) + remaining


@lru_cache(maxsize=64)
def _topic(topic: str) -> bytes:
    """Return a topic as it travels, with its length in front: a box has a handful."""
    encoded = topic.encode()
    return len(encoded).to_bytes(2, "big") + encoded
