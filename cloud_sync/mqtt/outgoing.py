"""A message on its way to the broker, and its exact size there."""

from dataclasses import dataclass, field

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud_sync.wire import CONTENT_TYPE, ENCODING_PROPERTY, Encoded


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One PUBLISH at QoS 1."""

    topic: str
    encoded: Encoded
    retain: bool = False
    expiry_s: int | None = None
    packed_properties: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Pack the properties once: they count in the size."""
        packed = self.properties().pack()  # type: ignore[no-untyped-call]  # paho leaves its properties untyped
        object.__setattr__(self, "packed_properties", bytes(packed))

    def properties(self, packet_type: int = PacketTypes.PUBLISH) -> Properties:
        """Return the MQTT 5 properties, for a publish or for a will."""
        properties = Properties(packet_type)  # type: ignore[no-untyped-call]  # as above
        properties.ContentType = CONTENT_TYPE
        if self.encoded.encoding is not None:
            properties.UserProperty = (ENCODING_PROPERTY, self.encoded.encoding)
        if self.expiry_s is not None:
            properties.MessageExpiryInterval = self.expiry_s
        return properties

    def packet_bytes(self) -> int:
        """Return the size of the whole packet, as a broker measures it against its Maximum Packet Size.

        Source: MQTT 5.0, sections 2.1 and 3.3: fixed header, topic, packet identifier, properties, payload.
        """
        topic_bytes = 2 + len(self.topic.encode())
        remaining = topic_bytes + 2 + len(self.packed_properties) + len(self.encoded.payload)
        length_bytes = 1 + (remaining > 0x7F) + (remaining > 0x3FFF) + (remaining > 0x1FFFFF)
        return 1 + length_bytes + remaining
