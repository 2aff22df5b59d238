"""The demo's broker, and in what it differs from others: what the sync must be robust against."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.broker import DemoBroker
from agent.errors import FatalError
from cloud_sync.mqtt import (
    Arrived,
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
from tests.faults.brokers import Broker, Mosquitto
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]


class Client:
    """A connection, and all that happened on it."""

    def __init__(self, url: str, client_id: str, *filters: str, **options: object) -> None:
        self.connection = Connection(BrokerSettings(url), ConnectOptions(client_id, **options), Wake())
        self.connection.open()
        self.events: list[Event] = []
        self.wait_for(Opened)
        if filters:
            self.connection.subscribe(*filters)
            self.wait_for(Subscribed)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def look(self, timeout_s: float = 0.05) -> None:
        self.events += self.connection.poll(timeout_s)

    def wait_for(self, kind: type[Event], count: int = 1) -> list[Event]:
        eventually(lambda: self.look() or len(self.of(kind)) >= count)
        return self.of(kind)

    def settle(self) -> None:
        """Look for a while."""
        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            self.look()

    def say(self, topic: str, payload: bytes = b"x") -> None:
        self.connection.publish(Outgoing(topic, Encoded(payload, None)))

    def cut(self) -> None:
        self.connection.close(goodbye=False)
        time.sleep(0.1)


def test_demo_broker_starts_and_ends(free_port: int) -> None:
    """It listens on its port, in a session that Ctrl-C in the terminal does not reach, and is gone after."""
    with DemoBroker(free_port) as broker:
        assert broker.url == f"mqtt://127.0.0.1:{free_port}"
        assert broker.pid is not None
        assert os.getsid(broker.pid) != os.getsid(0)
        pid = broker.pid
        Client(broker.url, "a").cut()
    assert not _alive(pid)


def test_demo_broker_ends_with_its_parent() -> None:
    """When the program that started it is killed, it ends too."""
    script = (
        "from agent.broker import DemoBroker; import time\n"
        "with DemoBroker() as broker: print(broker.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert _alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    eventually(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_port_in_use_is_one_line(free_port: int) -> None:
    """A port that is taken is named, and the broker that has it stays."""
    with DemoBroker(free_port) as first:
        with pytest.raises(FatalError, match=f"port {free_port} on 127.0.0.1 cannot be used for the broker: Address"):
            DemoBroker(free_port).__enter__()
        Client(first.url, "still-there").cut()


def test_missing_extra_is_named() -> None:
    """Without iotcore the line says what to install."""
    script = (
        "import sys; sys.modules['iotcore'] = None\n"
        "from agent.broker import DemoBroker; from agent.errors import FatalError\n"
        "try: DemoBroker().__enter__()\n"
        "except FatalError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "pip install 'hedgerow[demo]'" in done.stdout


def test_puback_without_subscribers(broker: Broker) -> None:
    """mosquitto tells that nobody is subscribed; rumqttd says "success": only the cloud's ack can be believed."""
    client = Client(broker.url, "a")
    client.say("t/nobody")
    [puback] = client.wait_for(Delivered)
    assert isinstance(puback, Delivered)
    assert puback.code == (0x10 if isinstance(broker, Mosquitto) else 0)
    client.cut()


def test_packet_limit_that_is_not_told(broker: Broker) -> None:
    """rumqttd tells no limit, and hangs up without a word at what is larger: so the uplink has a limit of its own."""
    client = Client(broker.url, "a")
    [opened] = client.of(Opened)
    assert isinstance(opened, Opened)
    assert opened.max_packet_bytes > 10**8
    client.say("t/fits", b"x" * 128 * 1024)
    client.wait_for(Delivered)
    client.say("t/large", b"x" * 1_100_000)
    if isinstance(broker, Mosquitto):
        client.wait_for(Delivered, 2)
    else:
        [closed] = client.wait_for(Closed)
        assert isinstance(closed, Closed)
        assert closed.code is None
    client.cut()


def test_receive_maximum_of_the_client(broker: Broker) -> None:
    """rumqttd sends more unacknowledged messages than a client allows: so ingest does not count on the limit."""
    client = Client(broker.url, "a", "t/#", receive_maximum=3, manual_ack=True)
    other = Client(broker.url, "b")
    for _ in range(8):
        other.say("t/x")
    other.wait_for(Delivered, 8)
    client.settle()
    assert len(client.of(Arrived)) == (3 if isinstance(broker, Mosquitto) else 8)
    client.cut()
    other.cut()


def test_session_with_a_shared_subscription(broker: Broker) -> None:
    """rumqttd dies of a session with unacknowledged messages of a shared subscription: so ingest asks for none."""
    client = Client(broker.url, "a", "$share/g/t/#", clean_start=False, session_expiry_s=60, manual_ack=True)
    other = Client(broker.url, "b")
    other.say("t/x")
    client.wait_for(Arrived)
    client.cut()
    late = Connection(BrokerSettings(broker.url), ConnectOptions("c"), Wake())
    late.open()
    until = time.monotonic() + 1
    events: list[Event] = []
    while not events and time.monotonic() < until:
        events += late.poll(0.1)
    assert any(isinstance(event, Opened) for event in events) == isinstance(broker, Mosquitto)
    late.close(goodbye=False)
    other.cut()


def test_share_group_with_two_filters(broker: Broker) -> None:
    """rumqttd knows one filter a group and forgets the others: so ingest has a group for each channel."""
    client = Client(broker.url, "a", "$share/g/t/one", "$share/g/t/two", "$share/h/t/three")
    other = Client(broker.url, "b")
    for name in ("one", "two", "three"):
        other.say(f"t/{name}")
    other.wait_for(Delivered, 3)
    client.settle()
    heard = {event.topic for event in client.of(Arrived) if isinstance(event, Arrived)}
    assert heard == ({"t/one", "t/two", "t/three"} if isinstance(broker, Mosquitto) else {"t/one", "t/three"})
    client.cut()
    other.cut()
