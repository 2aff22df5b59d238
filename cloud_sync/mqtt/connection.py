"""One connection to a broker, from dialling to its end. After that, take a new one.

A fresh paho client each time, because a reused one resends what it remembers on its own account and reuses packet
ids. paho's network thread is not used: the owner's thread calls ``poll``, which reads, writes and keeps alive through
paho's functions for external loops. So callbacks run in the owner's thread, an error in one reaches the supervisor
instead of killing a thread silently, and nothing needs a queue. Only dialling has a thread of its own: resolving a name
and shaking hands can block for long, and nobody should have to wait for that in order to stop.
"""

import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud_sync.mqtt.events import Arrived, Closed, Delivered, Opened, Subscribed
from cloud_sync.mqtt.explain import explain
from cloud_sync.mqtt.outgoing import Outgoing
from cloud_sync.mqtt.pulse import Beat, Pulse
from cloud_sync.mqtt.settings import BrokerSettings
from cloud_sync.mqtt.tcp import Traffic, cork, read_traffic, tune
from cloud_sync.mqtt.wake import Wake
from cloud_sync.wire import ENCODING_PROPERTY

Event = Opened | Closed | Delivered | Subscribed | Arrived

SESSION_TAKEN_OVER = 0x8E
_UNLIMITED_PACKET_BYTES = 268_435_460  # the largest that the protocol can express
_UNLIMITED_RECEIVE = 65_535
_HANG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Who we are to the broker, and what it may send us."""

    client_id: str
    will: Outgoing | None = None
    clean_start: bool = True
    session_expiry_s: int = 0
    receive_maximum: int | None = None
    max_packet_bytes: int | None = None
    manual_ack: bool = False  # a PUBACK is sent by ``acknowledge``, not on arrival


class _Trouble(logging.Handler):
    """Remembers what paho says of a broken socket nowhere but in its log."""

    def __init__(self) -> None:
        super().__init__()
        self.last: object = None

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.args[0] if isinstance(record.args, tuple) and record.args else None


class Connection:
    """One connection. All methods belong to one thread, the owner's; another may only set the ``Wake``."""

    def __init__(
        self,
        settings: BrokerSettings,
        options: ConnectOptions,
        wake: Wake,
        *,
        utc_s: Callable[[], float] | None = None,
    ) -> None:
        """Prepare; ``open`` starts.

        Args:
            settings: Where and with which credentials.
            options: Who we are.
            wake: Ends ``poll`` early; cleared by it.
            utc_s: The wall clock, where there is one to be named as the reason why a certificate is not accepted.
        """
        self._settings = settings
        self._options = options
        self._wake = wake
        self._utc_s = utc_s
        self._modern = settings.protocol == "5"
        self._pulse: Pulse | None = None  # from when there is a socket
        self._traffic = Traffic()
        self._trouble = _Trouble()
        self._events: list[Event] = []
        self._client = self._new_client()
        self._closed = False
        self._lock = threading.Lock()  # guards the two below
        self._dialling = True  # client, events and closed belong to the dialling thread
        self._abandoned = False

    def open(self) -> None:
        """Start dialling; ``poll`` tells how it ended, by ``Opened`` or ``Closed``."""
        name = f"dial-{self._options.client_id}"
        threading.Thread(target=self._dial, name=name, daemon=True).start()

    def poll(self, timeout_s: float) -> list[Event]:
        """Do what the connection needs, and return what happened; waits only while nothing has."""
        with self._lock:
            dialling = self._dialling
        if dialling:
            self._wait(None, timeout_s)
            return []
        sock = None if self._closed else self._client.socket()
        readable, writable = self._wait(sock, 0.0 if self._events else timeout_s)
        if sock is not None:
            self._serve(readable=readable, writable=writable)
        events, self._events = self._events, []
        return events

    def publish(self, message: Outgoing) -> int:
        """Hand a message over at QoS 1; return the id that its ``Delivered`` will carry.

        After the connection has ended nothing is sent, now or later, and no ``Delivered`` comes.
        """
        properties = message.properties() if self._modern else None
        info = self._client.publish(
            message.topic, message.encoded.payload, qos=1, retain=message.retain, properties=properties
        )
        return info.mid

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what is published within in as few IP packets as there can be; small ones each cost 52 bytes more."""
        sock = self._client.socket()
        cork(sock, on=True)
        try:
            yield
        finally:
            if self._client.socket() is sock:
                cork(sock, on=False)

    def subscribe(self, *filters: str) -> int:
        """Subscribe at QoS 1; return the id that ``Subscribed`` will carry, 0 where there is no connection any more."""
        if self._modern:
            _, mid = self._client.subscribe([(topic_filter, SubscribeOptions(qos=1)) for topic_filter in filters])
        else:
            _, mid = self._client.subscribe([(topic_filter, 1) for topic_filter in filters])
        return mid or 0

    @property
    def traffic(self) -> Traffic:
        """Return what this connection has carried as of the last ``poll``; zeros where the kernel does not say."""
        return self._traffic

    def acknowledge(self, arrived: Arrived) -> None:
        """Send the PUBACK of a message, if its sender asked for one."""
        if arrived.qos == 1:
            self._client.ack(arrived.mid, 1)

    def close(self, *, goodbye: bool) -> None:
        """End it. Without a goodbye the broker publishes the will."""
        with self._lock:
            self._abandoned = True
            if self._dialling:
                return  # the dialling thread closes what it gets
        if goodbye and not self._closed:
            self._client.disconnect()
        self._closed = True
        _hang_up(self._client)

    def _new_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._options.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if self._modern else MQTTProtocolVersion.MQTTv311,
            clean_session=None if self._modern else self._options.clean_start,
            reconnect_on_failure=False,
            manual_ack=self._options.manual_ack,
        )
        logger = logging.Logger("paho", logging.ERROR)  # noqa: LOG001  this connection's alone
        logger.addHandler(self._trouble)
        client.enable_logger(logger)
        client.max_inflight_messages_set(0)  # no queue of its own: the caller keeps to the window
        client.connect_timeout = self._settings.connect_timeout_s
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        will = self._options.will
        if will is not None:
            properties = will.properties(PacketTypes.WILLMESSAGE) if self._modern else None
            client.will_set(will.topic, will.encoded.payload, qos=1, retain=will.retain, properties=properties)
        return client

    def _dial(self) -> None:
        """Connect, in a thread of its own."""
        address = self._settings.address
        try:
            if self._settings.username is not None:
                self._client.username_pw_set(self._settings.username, self._settings.password())
            context = self._settings.tls_context()
            if context is not None:
                self._client.tls_set_context(context)
            host, port, keepalive_s = address.host, address.port, self._settings.keepalive_s
            if self._modern:
                properties = _connect_properties(self._options)
                clean = self._options.clean_start
                self._client.connect(host, port, keepalive_s, clean_start=clean, properties=properties)
            else:
                self._client.connect(host, port, keepalive_s)
            sock = self._client.socket()
            if isinstance(sock, socket.socket):
                tune(sock)
        except (OSError, ValueError) as error:
            utc_s = self._utc_s() if self._utc_s is not None else None
            self._end(Closed(explain(error, str(address), utc_s=utc_s), None))
        with self._lock:
            self._dialling = False
            abandoned = self._abandoned
        if abandoned:
            _hang_up(self._client)
        self._wake.set()

    def _wait(self, sock: Any, timeout_s: float) -> tuple[bool, bool]:
        poller = select.poll()
        poller.register(self._wake.fileno(), select.POLLIN)
        if sock is not None:
            poller.register(sock, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
            if isinstance(sock, ssl.SSLSocket) and sock.pending():
                timeout_s = 0.0  # already decrypted: the socket itself will not become readable for it
        ready = dict(poller.poll(timeout_s * 1000))
        if ready.pop(self._wake.fileno(), 0):
            self._wake.clear()
        state = next(iter(ready.values()), 0)
        decrypted = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        return bool(state & (select.POLLIN | _HANG_UP)) or decrypted, bool(state & select.POLLOUT)

    def _serve(self, *, readable: bool, writable: bool) -> None:
        self._traffic = read_traffic(self._client.socket()) or self._traffic  # before a read that may find the end
        self._pulse = self._pulse or self._new_pulse()
        code = self._client.loop_read() if readable else MQTTErrorCode.MQTT_ERR_SUCCESS
        if writable and self._client.socket() is not None:
            self._client.loop_write()
        if self._client.socket() is not None:
            self._keep_alive(self._pulse, heard=readable)
        if self._client.socket() is None:  # whether or not paho said so
            self._end(Closed(f"{self._settings.address} ended the connection ({code.name})", None))

    def _new_pulse(self) -> Pulse:
        return Pulse(time.monotonic(), greeting_s=self._settings.connect_timeout_s)

    def _keep_alive(self, pulse: Pulse, *, heard: bool) -> None:
        now_s = time.monotonic()
        self._traffic = read_traffic(self._client.socket()) or self._traffic
        if heard:
            pulse.heard(now_s)
        match pulse.look(now_s, self._traffic.acked_bytes):
            case Beat.PING:
                self._client.loop_misc()  # sends one where it finds a keepalive of silence
            case Beat.DEAD:
                self._end(Closed(f"{self._settings.address} has fallen silent", None))
            case Beat.FINE:
                pass

    def _end(self, closed: Closed) -> None:
        if not self._closed:
            self._closed = True
            self._events.append(closed)

    def _on_connect(
        self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._end(Closed(f"{self._settings.address} refuses the connection: {_words(reason)}", reason.value))
            return
        if self._pulse is not None:
            self._pulse.greeted(getattr(properties, "ServerKeepAlive", self._settings.keepalive_s))
        self._events.append(
            Opened(
                receive_maximum=getattr(properties, "ReceiveMaximum", _UNLIMITED_RECEIVE),
                max_packet_bytes=getattr(properties, "MaximumPacketSize", _UNLIMITED_PACKET_BYTES),
            )
        )

    def _on_disconnect(self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if flags.is_disconnect_packet_from_server:
            detail = f"{self._settings.address} closes the connection: {_words(reason)}"
            if reason.value == SESSION_TAKEN_OVER:
                detail += f"; another client uses the id {self._options.client_id!r}"
            self._end(Closed(detail, reason.value))
        elif isinstance(self._trouble.last, ssl.SSLError):
            self._end(Closed(explain(self._trouble.last, str(self._settings.address)), None))
        else:
            self._end(Closed(f"connection with {self._settings.address} is lost: {reason}", None))

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._events.append(Delivered(mid, reason.value, _words(reason)))

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
        self._events.append(Subscribed(mid, tuple(_words(reason) for reason in reasons if reason.is_failure)))

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no broker should let it pass; nothing of ours has this topic
        pairs = getattr(message.properties, "UserProperty", [])
        encoding = next((value for name, value in pairs if name == ENCODING_PROPERTY), None)
        payload = bytes(message.payload)
        self._events.append(Arrived(message.mid, message.qos, topic, payload, message.retain, encoding))


def _connect_properties(options: ConnectOptions) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves its properties untyped
    properties.SessionExpiryInterval = options.session_expiry_s
    if options.receive_maximum is not None:
        properties.ReceiveMaximum = options.receive_maximum
    if options.max_packet_bytes is not None:
        properties.MaximumPacketSize = options.max_packet_bytes
    return properties


def _hang_up(client: Client) -> None:
    sock = client.socket()
    if sock is not None:
        sock.close()


def _words(reason: ReasonCode) -> str:
    return f"{reason} (0x{reason.value:02X})"
