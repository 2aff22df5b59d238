"""What the uplink is told."""

from dataclasses import dataclass
from typing import Literal

from cloud_sync.mqtt import BrokerSettings


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """Where to, and how patiently.

    ``confirm``: who must answer for a row before it leaves the outbox. "cloud": a Hedgerow ingest, by its ack.
    "broker": a PUBACK is enough, for sites without an ingest; what the broker loses then is lost.
    """

    broker: BrokerSettings
    confirm: Literal["cloud", "broker"] = "cloud"
    health_every_s: float = 60.0
    ack_timeout_s: float = 30.0  # from PUBACK to the cloud's ack, then it is sent again; doubles while it is silent
    ack_timeout_most_s: float = 600.0
    puback_timeout_s: float = 60.0  # a broker that acknowledges nothing for so long is given up
    retry_first_s: float = 5.0  # backoff of connecting
    retry_most_s: float = 600.0
    healthy_after_s: float = 300.0  # a connection that held so long starts the backoff anew
    window: int = 100  # messages without PUBACK; more is slower. The broker's Receive Maximum may lower it
    # Bytes without PUBACK. What is queued in front of a ping delays it, and paho gives up after a keepalive of 15 s:
    # 64 KiB works down to about 4.4 kB/s.
    window_bytes: int = 64 * 1024
    unconfirmed: int = 200  # messages that the cloud has not confirmed
    # For brokers that name no Maximum Packet Size and still have one.
    max_packet_bytes: int = 128 * 1024
    join_bytes: int = 48 * 1024  # bodies of rollup entries joined into one message: about 500 rows
