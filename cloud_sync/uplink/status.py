"""What the uplink tells of itself."""

from dataclasses import dataclass
from enum import StrEnum


class LinkState(StrEnum):
    """Where the connection to the broker stands."""

    OFF = "off"  # no broker is configured
    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"  # waits before the next attempt
    ASLEEP = "asleep"  # outside the upload windows, or the bytes of the day are spent
    REFUSED = "refused"  # another box is online under the same name


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A snapshot; counters count since the agent started."""

    state: LinkState
    detail: str = ""  # one line for a person: why it is offline, or what the broker refuses; empty when all is well
    broker: str = ""  # host:port, never credentials; empty when off
    connects: int = 0
    sent_messages: int = 0  # handed to the client, resends included
    sent_bytes: int = 0  # payload bytes of those
    in_flight: int = 0  # sent, and not yet confirmed
    confirmed_through: int = 0  # all seq up to here are confirmed (by the cloud or the broker, as configured)
    quarantined: int = 0
    today_bytes: int = 0  # sent and received on the wire since the day began (UTC), restarts included
    daily_bytes: int = 0  # what the day may cost; 0 is no limit
    next_contact_ms: int | None = None  # when a box that sleeps wakes


LINK_OFF = LinkStatus(LinkState.OFF)
