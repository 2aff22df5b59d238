"""One connection, its backoff and its address, with a real broker."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import (
    Address,
    Backoff,
    BrokerSettings,
    Closed,
    Connection,
    ConnectOptions,
    Delivered,
    Event,
    Opened,
    Outgoing,
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
