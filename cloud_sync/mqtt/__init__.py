"""MQTT 5 as both ends use it: where the broker is, one connection at a time, when to try again."""

from cloud_sync.mqtt.backoff import Backoff
from cloud_sync.mqtt.client import ConnectOptions
from cloud_sync.mqtt.connection import SESSION_TAKEN_OVER, Connection, Event
from cloud_sync.mqtt.events import Arrived, Closed, Delivered, Opened, Subscribed
from cloud_sync.mqtt.outgoing import Outgoing
from cloud_sync.mqtt.settings import Address, BrokerSettings
from cloud_sync.mqtt.tcp import Traffic
from cloud_sync.mqtt.wake import Wake

__all__ = [
    "SESSION_TAKEN_OVER",
    "Address",
    "Arrived",
    "Backoff",
    "BrokerSettings",
    "Closed",
    "ConnectOptions",
    "Connection",
    "Delivered",
    "Event",
    "Opened",
    "Outgoing",
    "Subscribed",
    "Traffic",
    "Wake",
]
