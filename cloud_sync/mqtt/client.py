"""paho's client, as one connection needs it."""

import logging
import socket
from dataclasses import dataclass

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from cloud_sync.mqtt.outgoing import Outgoing
from cloud_sync.mqtt.settings import BrokerSettings
from cloud_sync.mqtt.stream import Stream
from cloud_sync.mqtt.tcp import tune


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Who we are to the broker, and what it may send us."""

    client_id: str
    will: Outgoing | None = None
    clean_start: bool = True
    session_expiry_s: int = 0
    receive_maximum: int | None = None
    max_packet_bytes: int | None = None
    manual_ack: bool = False  # a PUBACK is sent by ``Connection.acknowledge``, not on arrival


class Trouble(logging.Handler):
    """Remembers what paho says of a broken socket nowhere but in its log."""

    def __init__(self) -> None:
        super().__init__()
        self.last: object = None

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.args[0] if isinstance(record.args, tuple) and record.args else None


class StreamClient(Client):
    """A client with a ``Stream`` in place of its socket. It publishes nothing itself."""

    @property
    def stream(self) -> Stream | None:
        """Return the stream, while there is a connection."""
        sock = self.socket()
        assert sock is None or isinstance(sock, Stream)
        return sock

    def _create_socket(self) -> Stream:
        """Connect; paho calls this, and uses what it returns as a socket."""
        sock = super()._create_socket()
        assert isinstance(sock, socket.socket)
        tune(sock)
        return Stream(sock, modern=self.protocol is MQTTProtocolVersion.MQTTv5)


def new_client(settings: BrokerSettings, options: ConnectOptions, trouble: Trouble) -> StreamClient:
    """Return a client that is ready to dial."""
    modern = settings.protocol == "5"
    client = StreamClient(
        CallbackAPIVersion.VERSION2,
        client_id=options.client_id,
        protocol=MQTTProtocolVersion.MQTTv5 if modern else MQTTProtocolVersion.MQTTv311,
        clean_session=None if modern else options.clean_start,
        reconnect_on_failure=False,
        manual_ack=options.manual_ack,
    )
    logger = logging.Logger("paho", logging.ERROR)  # noqa: LOG001  this connection's alone
    logger.addHandler(trouble)
    client.enable_logger(logger)
    client.connect_timeout = settings.connect_timeout_s
    will = options.will
    if will is not None:
        properties = will.properties(PacketTypes.WILLMESSAGE) if modern else None
        client.will_set(will.topic, will.encoded.payload, qos=1, retain=will.retain, properties=properties)
    return client


def dial(client: Client, settings: BrokerSettings, options: ConnectOptions) -> None:
    """Connect, and send the CONNECT; blocks.

    Raises:
        OSError: The broker cannot be reached, or a file cannot be read.
        ValueError: The password is no text.
    """
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password())
    context = settings.tls_context()
    if context is not None:
        client.tls_set_context(context)
    host, port, keepalive_s = settings.address.host, settings.address.port, settings.keepalive_s
    if settings.protocol == "5":
        properties = _connect_properties(options)
        client.connect(host, port, keepalive_s, clean_start=options.clean_start, properties=properties)
    else:
        client.connect(host, port, keepalive_s)


def _connect_properties(options: ConnectOptions) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves its properties untyped
    properties.SessionExpiryInterval = options.session_expiry_s
    if options.receive_maximum is not None:
        properties.ReceiveMaximum = options.receive_maximum
    if options.max_packet_bytes is not None:
        properties.MaximumPacketSize = options.max_packet_bytes
    return properties
