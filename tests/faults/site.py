"""A box, a broker and a cloud, with a poor link on either side of the broker."""

import random
from typing import Any

from sqlalchemy.exc import OperationalError

from cloud_sync.ingest import schema as cloud
from cloud_sync.mqtt import BrokerSettings
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BOX, BoxEnd, CloudEnd, fast_settings
from tests.faults.matrix import Result
from tests.faults.packet_proxy import PacketProxy
from tests.faults.records import Records, committed, ingested, keep_journal
from tests.faults.scale import times
from tests.faults.workload import step
from tests.waiting import eventually

DRAIN_S = times(30, long=120)


class Site:
    """All of it, as one test drives it; ``result`` is told what happened."""

    def __init__(self, broker: Broker, box: BoxEnd, end: CloudEnd, near: PacketProxy, far: PacketProxy) -> None:
        self.broker = broker
        self.box = box
        self.cloud = end
        self.near = near  # between box and broker
        self.far = far  # between broker and workers
        self.steps = 0
        box.writer.submit(keep_journal).result(10)

    def start_box(self, **changes: Any) -> None:
        """Start the uplink; it sends many small messages, so that there is something to cut."""
        settings = {
            "join_bytes": 600,
            "broker": BrokerSettings(self.near.url, keepalive_s=1),
            "ack_timeout_s": 0.4,
            "retry_first_s": 0.05,
            "retry_most_s": 0.2,
        }
        self.box.start_uplink(fast_settings(self.near.url, **(settings | changes)))

    def start_cloud(self, **changes: Any) -> None:
        settings = {
            "batch_messages": 5,
            "broker": BrokerSettings(self.far.url, keepalive_s=1),
            "retry_first_s": 0.05,
            "retry_most_s": 0.2,
        }
        self.cloud.start(self.far.url, **(settings | changes))

    def commit(self, steps: int) -> None:
        """Commit records on the box."""
        futures = [
            self.box.writer.submit(work) for number in range(self.steps, self.steps + steps) for work in step(number)
        ]
        self.steps += steps
        for future in futures:
            future.result(10)

    def commit_until_refused(self, *, most_steps: int = 5000) -> None:
        """Commit until the database takes no more."""
        for _ in range(most_steps):
            try:
                self.commit(1)
            except OperationalError:
                return
        raise AssertionError("it takes everything")

    def drain(self, within_s: float = DRAIN_S) -> None:
        """Wait until the cloud has answered for everything."""
        eventually(lambda: self.box.waiting() == [], within_s=within_s)

    def check(self, result: Result) -> None:
        """Compare what was committed with what was ingested."""
        result.broker = name_of(self.broker)
        note(result, self.cloud, committed(self.box.path), self.near, self.far)
        received = [
            (row.first, row.last) for row in self.cloud.rows(cloud.received) if row.stream == self.box.outbox.stream
        ]
        assert received == [(1, self.box.outbox.last_seq())], "a gap that nobody explains"


def name_of(broker: Broker) -> str:
    """Return what the matrix calls it."""
    return "mosquitto" if isinstance(broker, Mosquitto) else "rumqttd"


def note(result: Result, end: CloudEnd, mine: Records, *links: PacketProxy) -> None:
    """Put on record what happened, and compare what a box committed with what was ingested."""
    stored = ingested(end.engine, BOX)
    result.database = end.kind
    result.committed, result.ingested = mine.total, stored.total
    if links:
        result.duplicates = sum(link.delivered_again for link in links)
        result.reconnects = sum(max(0, link.connections - 1) for link in links)
    assert mine.differences(stored) == []


def dice_of(name: str) -> random.Random:
    """Return dice that fall the same way in each run."""
    return random.Random(name)
