"""Fixtures of the sync's rooms; their conftest files import them."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.brokers import Broker, Iotcore, Mosquitto
from tests.faults.ends import BoxEnd, CloudEnd
from tests.faults.packet_proxy import PacketProxy
from tests.faults.scale import LONG
from tests.faults.site import Site
from tests.postgres import Postgres

SITES = ("mosquitto-postgresql", "mosquitto-sqlite", "iotcore-sqlite")
"""What a site may consist of: the broker and the cloud's database."""


@pytest.fixture
def libfaketime() -> Path:
    """The library that lies to a process about the time."""
    for found in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"):
        return found
    message = "libfaketime is not installed"
    if os.environ.get("HEDGEROW_REQUIRE_COMPONENTS") == "1":
        pytest.fail(f"{message}, and HEDGEROW_REQUIRE_COMPONENTS=1 asks for it")
    pytest.skip(message)


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
def make_cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], CloudEnd]]:
    """Make an empty cloud database, "sqlite" or "postgresql"; no worker runs."""
    with ExitStack() as stack:

        def make(database: str) -> CloudEnd:
            if database == "sqlite":
                end = CloudEnd(tmp_path / "cloud.db")
            else:
                server: Postgres = request.getfixturevalue("postgres_server")
                url = server.create_database(template=request.getfixturevalue("postgres_cloud"))
                stack.callback(server.drop_database, url)
                end = CloudEnd(url)
            stack.callback(end.close)
            return end

        yield make


@pytest.fixture
def make_site(box: BoxEnd, make_cloud: Callable[[str], CloudEnd]) -> Iterator[Callable[..., Site]]:
    """Connect a box, a broker and a cloud, on "postgresql" or "sqlite", by links that can be cut; neither end runs.

    ``box`` and ``cloud`` name ends of the test's own.
    """
    with ExitStack() as stack:

        def make(broker: Broker, database: str = "postgresql", **ends: Any) -> Site:
            end, cloud = ends.get("box", box), ends.get("cloud") or make_cloud(database)
            near, far = (stack.enter_context(PacketProxy(broker.port)) for _ in range(2))
            stack.callback(cloud.stop)
            stack.callback(end.stop_uplink)
            return Site(broker, end, cloud, near, far)

        yield make


@pytest.fixture(params=SITES if LONG else SITES[:1])
def site(request: pytest.FixtureRequest, free_port: int, make_site: Callable[..., Site]) -> Iterator[Site]:
    """A box, a broker and a cloud; on all pairs of brokers and databases in the long version."""
    kind, database = request.param.split("-")
    broker = Iotcore(free_port) if kind == "iotcore" else request.getfixturevalue("mosquitto")
    if isinstance(broker, Iotcore):
        broker.start()
    yield make_site(broker, database)
    if isinstance(broker, Iotcore):
        broker.stop()
