"""Windows and budget end to end: a real broker, a real ingest."""

import re
import time
from pathlib import Path

from cloud_sync.ingest import schema as cloud_schema
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.outbox import DAY_MS
from cloud_sync.uplink import LinkState
from cloud_sync.wire import Channel, StateMessage
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, CloudEnd, expected_rollups, fast_settings, utc_ms
from tests.faults.listener import Listener
from tests.uplink.old_broker import OldBroker
from tests.waiting import eventually


def states(listener: Listener) -> list[str]:
    heard = [message for message in listener.messages(Channel.STATE) if isinstance(message, StateMessage)]
    return [message.state for message in heard if not message.claiming]


class Door:
    """Upload windows that a test opens and shuts."""

    def __init__(self) -> None:
        self.open = True

    def __call__(self, from_ms: int) -> int | None:
        return from_ms if self.open else from_ms + 3_600_000


def test_box_says_that_it_sleeps_and_wakes_for_an_alarm(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd) -> None:
    """When its window closes a box leaves the state "asleep"; an alarm goes out at once, and nothing else with it."""
    door = Door()
    cloud.start(mosquitto.url)
    with Listener(mosquitto.url, "hedgerow/v1/#") as listener:
        uplink = box.start_uplink(fast_settings(mosquitto.url, opens_at=door))
        box.add_event("by-day").result(5)
        eventually(lambda: cloud.count(cloud_schema.event) == 1)
        door.open = False
        eventually(lambda: uplink.status().state is LinkState.ASLEEP)
        eventually(lambda: states(listener) == ["online", "asleep"])
        asleep = [m for m in listener.messages(Channel.STATE) if isinstance(m, StateMessage)][-1]
        assert asleep.next_contact_ms is not None
        assert 0 < asleep.next_contact_ms - utc_ms() <= 3_600_000
        assert uplink.status().next_contact_ms is not None

        box.add_rollups(0, 5)
        box.add_event("fire", channel=Channel.ALARM).result(5)
        eventually(lambda: cloud.count(cloud_schema.event) == 2)
        eventually(lambda: states(listener) == ["online", "asleep", "online", "asleep"])
        eventually(lambda: uplink.status().state is LinkState.ASLEEP)
        assert box.waiting() == [2, 3, 4, 5, 6]
        assert len(listener.messages(Channel.BIRTH)) == 1

        door.open = True
        eventually(lambda: box.waiting() == [])
        assert cloud.rollups() == expected_rollups(5)


def test_spent_budget_stops_all_but_alarms(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd) -> None:
    """A backlog stops where the bytes of the day end; alarms go on, and what waited goes on the next day."""
    cloud.start(mosquitto.url)
    for first in range(0, 3000, 500):
        box.add_rollups(first, 500).result(30)
    settings = fast_settings(mosquitto.url, daily_bytes=100_000, join_bytes=1)
    uplink = box.start_uplink(settings)
    eventually(lambda: "rollup wait until tomorrow" in uplink.status().detail)
    time.sleep(0.5)
    left = len(box.waiting())
    assert 0 < left < 3000
    assert 80_000 <= uplink.status().today_bytes < 90_000
    box.add_event("fire", channel=Channel.ALARM).result(5)
    eventually(lambda: cloud.count(cloud_schema.event) == 1)
    eventually(lambda: len(box.waiting()) == left)
    box.clock_error_ms = DAY_MS
    eventually(lambda: len(box.waiting()) < left)
    box.stop_uplink()


def test_old_protocol_reaches_the_cloud(mosquitto: Mosquitto, tmp_path: Path, box: BoxEnd, cloud: CloudEnd) -> None:
    """A box that speaks MQTT 3.1.1 delivers compressed batches, events and alarms, and its rows are settled by acks."""
    cloud.start(mosquitto.url)
    box.add_rollups(0, 100)
    box.add_event("by-old-protocol").result(5)
    old = BrokerSettings(mosquitto.url, protocol="3.1.1")
    uplink = box.start_uplink(fast_settings(mosquitto.url, broker=old))
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(100)
    assert cloud.count(cloud_schema.event) == 1
    assert uplink.status().detail == ""
    log = (tmp_path / f"mosquitto-{mosquitto.port}.log").read_text(encoding="utf-8")
    assert re.search(r"as hedgerow-orchard-box-1-\w{8} \(p2,", log), "mosquitto calls MQTT 3.1.1 p2"


def test_broker_that_knows_only_the_old_protocol(tmp_path: Path, free_port: int, box: BoxEnd) -> None:
    """A broker of MQTT 3.1.1 alone refuses a box that speaks MQTT 5, and serves one that is told so."""
    with OldBroker(tmp_path, free_port) as broker:
        uplink = box.start_uplink(fast_settings(broker.url))
        eventually(lambda: uplink.status().state is LinkState.OFFLINE)
        box.stop_uplink()
        old = BrokerSettings(broker.url, protocol="3.1.1")
        box.add_rollups(0, 50).result(5)
        box.start_uplink(fast_settings(broker.url, broker=old, confirm="broker"))
        eventually(lambda: box.waiting() == [])
