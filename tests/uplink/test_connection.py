"""One connection, its backoff and its address, with a real broker."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import (
    Address,
    Arrived,
    Backoff,
    BrokerSettings,
    Closed,
    Connection,
    ConnectOptions,
    Delivered,
    Event,
    Opened,
    Outgoing,
    Subscribed,
    Wake,
)
from cloud_sync.wire import Encoded
from tests.faults.brokers import Mosquitto
from tests.faults.proxy import Proxy
from tests.faults.scripted import CONNACK, ScriptedBroker


def events_until(connection: Connection, kind: type[Event], *, within_s: float = 5) -> list[Event]:
    """Poll until an event of a kind has come; return all."""
    seen: list[Event] = []
    deadline = time.monotonic() + within_s
    while not any(isinstance(event, kind) for event in seen):
        assert time.monotonic() < deadline, seen
        seen += connection.poll(0.1)
    return seen


def opened(url: str, client_id: str = "test") -> Connection:
    connection = Connection(BrokerSettings(url), ConnectOptions(client_id), Wake())
    connection.open()
    events_until(connection, Opened)
    return connection


@pytest.mark.parametrize("payload_bytes", [0, 1, 60, 90, 300, 16_300, 16_340, 20_000])
def test_packet_size_is_what_travels(mosquitto: Mosquitto, payload_bytes: int) -> None:
    """The size of a packet that is held against a broker's limit is the number of bytes that go out for it."""
    message = Outgoing("hedgerow/v1/a/b/rollup", Encoded(b"x" * payload_bytes, "zlib"), expiry_s=5)
    with Proxy(mosquitto.port) as link:
        connection = opened(link.url)
        before = link.sent_bytes
        connection.publish(message)
        events_until(connection, Delivered)
        assert link.sent_bytes - before == message.packet_bytes()
        connection.close(goodbye=True)


class Dialled:
    """A connection whose broker is the test: what is said to it is the test's."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
            self.connection = Connection(BrokerSettings(url), ConnectOptions("test"), Wake())
            self.connection.open()
            self.end, _ = listener.accept()
        self.end.settimeout(5)
        self.end.recv(65536)
        self.end.sendall(CONNACK)
        events_until(self.connection, Opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.connection.close(goodbye=False)
        self.end.close()


def test_packets_of_all_kinds_are_told_apart_at_any_byte() -> None:
    """PUBACKs, messages, pings and answers that come byte by byte are taken in their order, and answered."""
    with Dialled() as broker:
        asked = broker.connection.subscribe("a")
        first, second, third = (broker.connection.publish(Outgoing("a", Encoded(b"x", None))) for _ in range(3))
        said = [
            b"\x40\x02" + first.to_bytes(2, "big"),
            b"\xd0\x00",
            b"\x32\x07\x00\x01a\x00\x09\x00@",  # a message whose payload looks like a PUBACK
            b"\x40\x03" + second.to_bytes(2, "big") + b"\x10",
            b"\x40\x02\x00\x05",  # of no message of ours
            b"\x90\x04" + asked.to_bytes(2, "big") + b"\x00\x01",
            b"\x40\x07" + third.to_bytes(2, "big") + b"\x87\x03\x1f\x00\x00",
        ]
        events: list[Event] = []
        for byte in b"".join(said):
            broker.end.sendall(bytes([byte]))
            events += broker.connection.poll(0.1)
        assert events == [
            Delivered(first, 0),
            Arrived(9, 1, "a", b"@", retain=False, encoding=None),
            Delivered(second, 0x10),
            Subscribed(asked, ()),
            Delivered(third, 0x87),
        ]
        assert events[-1].text == "Not authorized (0x87)"
        assert broker.end.recv(65536).endswith(b"\x40\x02\x00\x09")


def test_connection_that_breaks_in_writing_ends() -> None:
    """Where nothing can be sent any more the connection ends, though the other end keeps it open and says nothing."""
    with Dialled() as broker:
        stream = broker.connection._client.stream
        assert stream is not None
        stream.sock.shutdown(socket.SHUT_WR)
        broker.connection.publish(Outgoing("a", Encoded(b"x", None)))
        assert isinstance(events_until(broker.connection, Closed)[-1], Closed)


def test_nothing_follows_a_last_word() -> None:
    """What comes behind a broker's DISCONNECT is no event any more."""
    with Dialled() as broker:
        mid = broker.connection.publish(Outgoing("a", Encoded(b"x", None))).to_bytes(2, "big")
        broker.end.sendall(b"\xd0\x00\xe0\x02\x8b\x00\x40\x02" + mid)
        assert [type(event) for event in events_until(broker.connection, Closed)] == [Closed]


def test_an_unknown_reason_has_its_number() -> None:
    """A reason that no version of MQTT knows is told by its number."""
    assert Delivered(1, 0xF3).text == "0xF3"


def test_ids_of_messages_on_their_way_differ() -> None:
    """No id is given twice before its PUBACK, nor one that a subscription has; who acknowledges nothing is left."""
    with Dialled() as broker:
        message = Outgoing("a", Encoded(b"", None))
        asked = broker.connection.subscribe("a")
        given = [broker.connection.publish(message) for _ in range(10)]
        broker.end.sendall(b"".join(b"\x40\x02" + mid.to_bytes(2, "big") for mid in given[4:8]))
        assert len(events_until(broker.connection, Delivered)) == 4
        more = [broker.connection.publish(message) for _ in range(0x8000 - 6)]
        assert sorted({*given[:4], *given[8:], *more}) == [*range(0x8000, 0x10000)]
        assert asked < 0x8000
        broker.connection.publish(message)
        closed = broker.connection.poll(0)[-1]
        assert isinstance(closed, Closed)
        assert "acknowledges nothing" in closed.detail


def test_limits_of_the_broker_are_known(make_mosquitto: Callable[..., Mosquitto]) -> None:
    """Receive Maximum and Maximum Packet Size come from the CONNACK."""
    broker = make_mosquitto("max_packet_size 5000", "max_inflight_messages 7")
    connection = Connection(BrokerSettings(broker.url), ConnectOptions("test"), Wake())
    connection.open()
    assert events_until(connection, Opened) == [Opened(receive_maximum=7, max_packet_bytes=5000)]
    connection.close(goodbye=True)


def test_wake_ends_a_wait(mosquitto: Mosquitto) -> None:
    """Another thread can end a long poll at once."""
    wake = Wake()
    connection = Connection(BrokerSettings(mosquitto.url), ConnectOptions("test"), wake)
    connection.open()
    events_until(connection, Opened)
    threading.Timer(0.1, wake.set).start()
    started = time.monotonic()
    connection.poll(10)
    assert time.monotonic() - started < 5
    connection.close(goodbye=True)


def test_nothing_is_sent_after_the_end(mosquitto: Mosquitto) -> None:
    """A message that is handed over after the connection has ended is never delivered, and nothing breaks."""
    connection = opened(mosquitto.url)
    mosquitto.kill()
    events_until(connection, Closed)
    connection.publish(Outgoing("a", Encoded(b"late", None)))
    mosquitto.start()
    assert connection.poll(0.1) == []
    connection.close(goodbye=True)


@pytest.mark.parametrize(
    ("answer", "detail", "code"),
    [
        (CONNACK + b"\xe0\x02\x8e\x00", "Session taken over (0x8E); another client uses the id 'test'", 0x8E),
        (CONNACK + b"\xe0\x02\x8b\x00", "closes the connection: Server shutting down (0x8B)", 0x8B),
        (b"\x20\x03\x00\x86\x00", "refuses the connection: Bad user name or password (0x86)", 0x86),
        (b"\x20\x03\x00\x87\x00", "refuses the connection: Not authorized (0x87)", 0x87),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "has fallen silent", None),
    ],
)
def test_last_words_of_a_broker_are_told(answer: bytes, detail: str, code: int | None) -> None:
    """Why a broker refuses or ends a connection reaches the person, and what is no broker ends it too."""
    with ScriptedBroker(answer) as broker:
        connection = Connection(BrokerSettings(broker.url, connect_timeout_s=1), ConnectOptions("test"), Wake())
        connection.open()
        closed = events_until(connection, Closed)[-1]
        assert isinstance(closed, Closed)
        assert detail in closed.detail
        assert closed.code == code
        connection.close(goodbye=False)


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("mqtt://127.0.0.1:1", "127.0.0.1:1 refuses the connection: nobody listens there"),
        ("mqtt://no-such-host.invalid", "cannot find no-such-host.invalid:1883"),
    ],
)
def test_unreachable_broker_is_explained(url: str, detail: str) -> None:
    """A broker that cannot be reached ends the attempt with a line for a person."""
    connection = Connection(BrokerSettings(url), ConnectOptions("test"), Wake())
    connection.open()
    closed = events_until(connection, Closed)[-1]
    assert isinstance(closed, Closed)
    assert detail in closed.detail
    connection.close(goodbye=False)


def test_attempt_can_be_abandoned() -> None:
    """Whoever wants to stop does not wait for an address that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = BrokerSettings(f"mqtts://127.0.0.1:{silent.getsockname()[1]}", connect_timeout_s=30)
        connection = Connection(settings, ConnectOptions("test"), Wake())
        started = time.monotonic()
        connection.open()
        assert connection.poll(0.1) == []
        connection.close(goodbye=True)
        assert time.monotonic() - started < 5


def test_missing_password_file_is_named(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A secret that cannot be read ends the attempt, and the line names the file."""
    settings = BrokerSettings(mosquitto.url, username="u", password_file=tmp_path / "missing")
    connection = Connection(settings, ConnectOptions("test"), Wake())
    connection.open()
    closed = events_until(connection, Closed)[-1]
    assert isinstance(closed, Closed)
    assert closed.detail == f"cannot read {tmp_path / 'missing'}: No such file or directory"


def test_password_is_the_first_line(tmp_path: Path) -> None:
    """The end of the line is no part of the password."""
    file = tmp_path / "password"
    file.write_bytes("pässword 1\r\nsecond line\n".encode())
    assert BrokerSettings("mqtt://h", username="u", password_file=file).password() == "pässword 1"


@pytest.mark.parametrize(
    ("url", "address", "text"),
    [
        ("mqtt://farm.example", Address("farm.example", 1883, tls=False), "farm.example:1883"),
        ("mqtts://farm.example", Address("farm.example", 8883, tls=True), "farm.example:8883"),
        ("mqtts://[::1]:99/", Address("::1", 99, tls=True), "[::1]:99"),
    ],
)
def test_addresses(url: str, address: Address, text: str) -> None:
    """An address has the default port of its scheme, and shows as host and port."""
    assert Address.parse(url) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "url", ["", "x", "tcp://x", "mqtt://", "mqtt://h:0", "mqtt://h:70000", "mqtt://h/topic", "mqtt://me:secret@h"]
)
def test_wrong_addresses_are_refused(url: str) -> None:
    """What is no broker address is refused in one line, which never shows a password."""
    with pytest.raises(SyncFatalError) as caught:
        Address.parse(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_backoff_doubles_up_to_its_limit() -> None:
    """Delays double, end at the limit, are jittered down to a half, and start anew after a reset."""
    longest = Backoff(first_s=5, most_s=600, jitter=lambda: 1.0)
    assert [longest.delay_s() for _ in range(9)] == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    longest.reset()
    assert longest.delay_s() == 5
    shortest = Backoff(first_s=5, most_s=600, jitter=lambda: 0.0)
    assert [shortest.delay_s() for _ in range(3)] == [2.5, 5, 10]
    for _ in range(5000):
        assert longest.delay_s() <= 600
