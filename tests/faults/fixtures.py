"""Fixtures of the sync's rooms; their conftest files import them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.brokers import Broker, Iotcore, Mosquitto
from tests.faults.ends import BoxEnd, CloudEnd
from tests.faults.packet_proxy import PacketProxy
from tests.faults.site import Site


@pytest.fixture
def make_mosquitto(require: Callable[[str], str], tmp_path: Path, free_port: int) -> Iterator[Callable[..., Mosquitto]]:
    """Start a mosquitto with extra lines of configuration."""
    made: list[Mosquitto] = []

    def make(*lines: str) -> Mosquitto:
        broker = Mosquitto(require("mosquitto"), tmp_path, free_port, *lines)
        made.append(broker)
        broker.start()
        return broker

    yield make
    for broker in made:
        broker.stop()


@pytest.fixture
def mosquitto(make_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A mosquitto that keeps nothing over a restart."""
    return make_mosquitto()


@pytest.fixture(params=["mosquitto", "iotcore"])
def broker(request: pytest.FixtureRequest, free_port: int) -> Iterator[Broker]:
    """Each of the real brokers; neither keeps anything over a restart."""
    if request.param == "mosquitto":
        yield request.getfixturevalue("mosquitto")
        return
    iotcore = Iotcore(free_port)
    iotcore.start()
    yield iotcore
    iotcore.stop()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[BoxEnd]:
    """A box with an empty outbox; no uplink runs."""
    end = BoxEnd(tmp_path / "box.db")
    yield end
    end.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudEnd]:
    """An empty cloud database; no worker runs."""
    end = CloudEnd(tmp_path / "cloud.db")
    yield end
    end.close()


@pytest.fixture
def site(broker: Broker, box: BoxEnd, cloud: CloudEnd) -> Iterator[Site]:
    """A box, a broker and a cloud, connected by links that can be cut; neither end runs."""
    with PacketProxy(broker.port) as near, PacketProxy(broker.port) as far:
        made = Site(broker, box, cloud, near, far)
        yield made
        box.stop_uplink()
        cloud.stop()
