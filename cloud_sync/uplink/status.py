"""What the uplink tells of itself."""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """Where the connection to the broker stands."""

    OFF = "off"  # no broker is configured
    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"  # waits before the next attempt


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A snapshot; counters count since the agent started."""

    state: LinkState
    detail: str  # one line for a person: why it is offline, or what the broker refuses; empty when all is well
    broker: str  # host:port, never credentials; empty when off
    connects: int
    sent_messages: int  # handed to the client, resends included
    sent_bytes: int  # payload bytes of those
    in_flight: int  # sent, and not yet confirmed
    confirmed_through: int  # all seq up to here are confirmed (by the cloud or the broker, as configured)
    quarantined: int


LINK_OFF = LinkStatus(LinkState.OFF, "", "", 0, 0, 0, 0, 0, 0)
