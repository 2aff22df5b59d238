"""What the uplink is told."""

from dataclasses import dataclass
from typing import Literal

from cloud_sync.mqtt import BrokerSettings
from cloud_sync.uplink.contact import OpensAt


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """Where to, and how patiently.

    ``confirm``: who must answer for a row before it leaves the outbox. "cloud": a Hedgerow ingest, by its ack.
    "broker": a PUBACK is enough, for sites without an ingest; what the broker loses then is lost.
    """

    broker: BrokerSettings
    confirm: Literal["cloud", "broker"] = "cloud"
    health_every_s: float = 60.0
    daily_bytes: int = 0  # sent and received on the wire, by UTC day; 0 is no limit
    opens_at: OpensAt | None = None  # the upload windows; None: always open
    alarms_wake: bool = True  # outside the windows
    claim_answer_s: float = 10.0  # another box that is online under our name answers within this
    ack_timeout_s: float = 30.0  # from PUBACK to the cloud's ack, then it is sent again; doubles while it is silent
    ack_timeout_most_s: float = 600.0
    puback_timeout_s: float = 60.0  # a broker that answers pings and acknowledges nothing for so long is given up
    retry_first_s: float = 5.0  # backoff of connecting, and of a channel that the broker refuses
    retry_most_s: float = 600.0
    healthy_after_s: float = 300.0  # a connection that held so long starts the backoff anew
    window: int = 100  # messages without PUBACK; more is slower. The broker's Receive Maximum may lower it
    # Bytes without PUBACK, of which the link decides how many (see ByteWindow). The least is two seconds of 64 kbit/s.
    window_least_bytes: int = 16 * 1024
    window_bytes: int = 256 * 1024
    unconfirmed: int = 200  # messages that the cloud has not confirmed
    # For brokers that name no Maximum Packet Size and still have one.
    max_packet_bytes: int = 128 * 1024
    join_bytes: int = 48 * 1024  # bodies of rollup entries joined into one message: about 500 rows
