"""What happens on a connection."""

from dataclasses import dataclass

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode


@dataclass(frozen=True, slots=True)
class Opened:
    """The broker has accepted us. The limits are the broker's, or the protocol's where it names none."""

    receive_maximum: int  # messages at QoS 1 that may wait for their PUBACK
    max_packet_bytes: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection has ended, or never came to be; nothing follows.

    ``code`` is the MQTT reason code if the broker gave one, else None.
    """

    detail: str  # one line for a person
    code: int | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """PUBACK: the broker answers for a message. 0 is good, 0x10 means that nobody is subscribed, 0x80 and up refuse."""

    mid: int
    code: int

    @property
    def text(self) -> str:
        """Return the reason for a person."""
        try:
            return words_of(ReasonCode(PacketTypes.PUBACK, identifier=self.code))
        except KeyError:  # no version of MQTT that paho knows has it
            return f"0x{self.code:02X}"


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK. ``refused`` has the broker's words for each subscription that it did not grant."""

    mid: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message for us. ``encoding`` is the user property ``content-encoding``, if there is one."""

    mid: int
    qos: int
    topic: str
    payload: bytes
    retain: bool
    encoding: str | None


def words_of(reason: ReasonCode) -> str:
    """Return what a reason says, with its number."""
    return f"{reason} (0x{reason.value:02X})"
