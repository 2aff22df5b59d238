"""One connection to a broker, from dialling to its end. After that, take a new one.

A fresh paho client each time, because a reused one resends what it remembers on its own account and reuses packet
ids. paho's network thread is not used: the owner's thread calls ``poll``, which reads, writes and keeps alive through
paho's functions for external loops. So callbacks run in the owner's thread, an error in one reaches the supervisor
instead of killing a thread silently, and nothing needs a queue. Only dialling has a thread of its own: resolving a name
and shaking hands can block for long, and nobody should have to wait for that in order to stop.

Messages go and are acknowledged past paho, by ``packets`` through the ``Stream`` that both share.
"""

import select
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from cloud_sync.mqtt.client import ConnectOptions, Trouble, dial, new_client
from cloud_sync.mqtt.events import Arrived, Closed, Delivered, Opened, Subscribed, words_of
from cloud_sync.mqtt.explain import explain
from cloud_sync.mqtt.outgoing import Outgoing
from cloud_sync.mqtt.pulse import Beat, Pulse
from cloud_sync.mqtt.settings import BrokerSettings
from cloud_sync.mqtt.stream import Stream
from cloud_sync.mqtt.tcp import Traffic, read_traffic
from cloud_sync.mqtt.wake import Wake
from cloud_sync.wire import ENCODING_PROPERTY

Event = Opened | Closed | Delivered | Subscribed | Arrived

SESSION_TAKEN_OVER = 0x8E
_UNLIMITED_PACKET_BYTES = 268_435_460  # the largest that the protocol can express
_UNLIMITED_RECEIVE = 65_535
_FIRST_MID, _LAST_MID = 0x8000, 0xFFFF  # of our messages; paho counts its subscriptions from 1
_HANG_UP = select.POLLHUP | select.POLLERR | select.POLLNVAL


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
        self._trouble = Trouble()
        self._events: list[Event] = []
        self._unacknowledged: set[int] = set()  # ids of our messages
        self._mid = _LAST_MID
        self._client = new_client(settings, options, self._trouble)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
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
        stream = None if self._closed else self._client.stream
        readable, writable = self._wait(stream, 0.0 if self._events else timeout_s)
        if stream is not None:
            self._serve(stream, readable=readable, writable=writable)
        events, self._events = self._events, []
        return events

    def publish(self, message: Outgoing) -> int:
        """Hand a message over at QoS 1; return the id that its ``Delivered`` will carry.

        After the connection has ended nothing is sent, now or later, and no ``Delivered`` comes.
        """
        mid = self._next_mid()
        stream = None if self._closed else self._client.stream
        if stream is not None:
            self._unacknowledged.add(mid)
            stream.write(message.packet(mid, modern=self._modern))
        return mid

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what is published within in as few IP packets as there can be; small ones each cost 52 bytes more."""
        stream = self._client.stream
        if stream is not None:
            stream.hold(on=True)
        try:
            yield
        finally:
            if stream is not None:
                stream.hold(on=False)

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
        self._hang_up()

    def _dial(self) -> None:
        """Connect, in a thread of its own."""
        try:
            dial(self._client, self._settings, self._options)
        except (OSError, ValueError) as error:
            utc_s = self._utc_s() if self._utc_s is not None else None
            self._end(Closed(explain(error, str(self._settings.address), utc_s=utc_s), None))
        with self._lock:
            self._dialling = False
            abandoned = self._abandoned
        if abandoned:
            self._hang_up()
        self._wake.set()

    def _next_mid(self) -> int:
        """Return an id that no message on its way has; where all are taken the broker has long stopped to answer."""
        if len(self._unacknowledged) > _LAST_MID - _FIRST_MID:
            self._end(Closed(f"{self._settings.address} acknowledges nothing", None))
            return 0
        self._mid = self._mid + 1 if self._mid < _LAST_MID else _FIRST_MID
        while self._mid in self._unacknowledged:
            self._mid = self._mid + 1 if self._mid < _LAST_MID else _FIRST_MID
        return self._mid

    def _wait(self, stream: Stream | None, timeout_s: float) -> tuple[bool, bool]:
        poller = select.poll()
        poller.register(self._wake.fileno(), select.POLLIN)
        if stream is not None:
            poller.register(stream, select.POLLIN | (select.POLLOUT if stream.full else 0))
            if stream.has_decrypted() or stream.broken:
                timeout_s = 0.0
        ready = dict(poller.poll(timeout_s * 1000))
        if ready.pop(self._wake.fileno(), 0):
            self._wake.clear()
        state = next(iter(ready.values()), 0)
        readable = bool(state & (select.POLLIN | _HANG_UP))
        return readable or (stream is not None and stream.has_decrypted()), bool(state & select.POLLOUT)

    def _serve(self, stream: Stream, *, readable: bool, writable: bool) -> None:
        self._traffic = read_traffic(stream.sock) or self._traffic  # before a read that may find the end
        self._pulse = self._pulse or self._new_pulse()
        if writable:
            stream.writable()
        code = self._read(stream) if readable or stream.broken else MQTTErrorCode.MQTT_ERR_SUCCESS
        if self._client.stream is not None:
            self._keep_alive(self._pulse, heard=readable)
        if self._client.stream is None:  # whether or not paho said so
            self._end(Closed(f"{self._settings.address} ended the connection ({code.name})", None))

    def _read(self, stream: Stream) -> MQTTErrorCode:
        """Take what has come, in its order: PUBACKs here, all else through paho."""
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        for packet in stream.receive():
            if self._closed:
                break  # nothing follows a last word
            if isinstance(packet, bytes):
                stream.lend(packet)
                code = self._client.loop_read()
            elif packet.mid in self._unacknowledged:
                self._unacknowledged.discard(packet.mid)
                self._events.append(packet)
        return self._client.loop_read() if stream.ended else code

    def _new_pulse(self) -> Pulse:
        return Pulse(time.monotonic(), greeting_s=self._settings.connect_timeout_s)

    def _keep_alive(self, pulse: Pulse, *, heard: bool) -> None:
        now_s = time.monotonic()
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
            self._end(Closed(f"{self._settings.address} refuses the connection: {words_of(reason)}", reason.value))
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
            detail = f"{self._settings.address} closes the connection: {words_of(reason)}"
            if reason.value == SESSION_TAKEN_OVER:
                detail += f"; another client uses the id {self._options.client_id!r}"
            self._end(Closed(detail, reason.value))
        elif isinstance(self._trouble.last, ssl.SSLError):
            self._end(Closed(explain(self._trouble.last, str(self._settings.address)), None))
        else:
            self._end(Closed(f"connection with {self._settings.address} is lost: {reason}", None))

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, reasons: list[ReasonCode], _properties: Any) -> None:
        self._events.append(Subscribed(mid, tuple(words_of(reason) for reason in reasons if reason.is_failure)))

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no broker should let it pass; nothing of ours has this topic
        pairs = getattr(message.properties, "UserProperty", [])
        encoding = next((value for name, value in pairs if name == ENCODING_PROPERTY), None)
        payload = bytes(message.payload)
        self._events.append(Arrived(message.mid, message.qos, topic, payload, message.retain, encoding))

    def _hang_up(self) -> None:
        if self._client.stream is not None:
            self._client.stream.close()
