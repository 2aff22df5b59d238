"""A worker against real brokers."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest import IngestSettings, run_ingest, schema
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.wire import AckMessage, Channel, EventMessage
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BOX, BoxEnd, CloudEnd, eventually, expected_rollups, fast_settings, utc_ms
from tests.faults.listener import Listener

STREAM = "0123456789abcdef" * 2
ACK = BOX.topic(Channel.ACK)


def event(seq: int) -> EventMessage:
    return EventMessage(stream=STREAM, seq=seq, boot=1, kind="k", at_ms=1)


def test_poison_is_set_aside_and_acknowledged_to_the_broker(broker: Broker, cloud: CloudEnd) -> None:
    """Poison between good messages is kept with its reason, delays nothing, and does not come again."""
    cloud.start(broker.url)
    with Listener(broker.url, ACK) as box:
        for seq in range(1, 301):
            box.publish(BOX.topic(Channel.EVENT), event(seq))
            if seq % 10 == 0:
                box.publish(BOX.topic(Channel.ROLLUP), b"poison %d" % seq)
        eventually(lambda: cloud.count(schema.event) == 300 and cloud.count(schema.quarantine) == 30)
        eventually(lambda: box.messages(Channel.ACK)[-1] == AckMessage(stream=STREAM, through=300))
    cloud.stop()
    cloud.start(broker.url)
    time.sleep(0.3)
    assert {row.times for row in cloud.rows(schema.quarantine)} == {1}


def test_nothing_is_acknowledged_before_it_is_durable(broker: Broker, cloud: CloudEnd, tmp_path: Path) -> None:
    """While the database takes no writes no ack goes out; when it does again, everything arrives."""
    cloud.start(broker.url)
    blocker = sqlite3.connect(tmp_path / "cloud.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with Listener(broker.url, ACK) as box:
        box.publish(BOX.topic(Channel.EVENT), event(1))
        time.sleep(0.5)
        assert box.heard == []
        blocker.execute("ROLLBACK")
        eventually(lambda: box.messages(Channel.ACK) == [AckMessage(stream=STREAM, through=1)])
    blocker.close()
    assert cloud.count(schema.event) == 1


def test_database_that_fails_is_tried_again(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd, tmp_path: Path) -> None:
    """A database that refuses to store costs time but no row: the worker lets go and comes back."""
    cloud.start(mosquitto.url)
    _execute(tmp_path / "cloud.db", "ALTER TABLE rollup RENAME TO hidden")
    box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=0.5, ack_timeout_most_s=0.5))
    box.add_rollups(0, 5).result(5)
    time.sleep(0.5)
    assert box.waiting() == [1, 2, 3, 4, 5]
    _execute(tmp_path / "cloud.db", "ALTER TABLE hidden RENAME TO rollup")
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(5)


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_kept_session_brings_what_came_meanwhile(mosquitto: Mosquitto, cloud: CloudEnd) -> None:
    """With a session the broker keeps what comes while the worker is away."""
    cloud.start(mosquitto.url, session_expiry_s=60)
    cloud.stop()
    with Listener(mosquitto.url, ACK) as box:
        box.publish(BOX.topic(Channel.EVENT), event(1))
        time.sleep(0.2)
        cloud.start(mosquitto.url, session_expiry_s=60)
        eventually(lambda: box.messages(Channel.ACK) == [AckMessage(stream=STREAM, through=1)])


def test_clean_stop_is_quick_and_keeps_what_arrived(broker: Broker, cloud: CloudEnd) -> None:
    """A worker that is told to stop does so within two seconds, and stores first what it holds."""
    cloud.start(broker.url, batch_s=30)
    with Listener(broker.url, ACK) as box:
        box.publish(BOX.topic(Channel.EVENT), event(1))
        time.sleep(0.5)
        assert cloud.count(schema.event) == 0
        assert cloud.stop() < 2
        eventually(lambda: box.messages(Channel.ACK) == [AckMessage(stream=STREAM, through=1)])
    assert cloud.count(schema.event) == 1


def test_worker_waits_for_its_broker(make_mosquitto: Callable[..., Mosquitto], tmp_path: Path) -> None:
    """A broker that is not there yet is no error: the worker is ready as soon as it is."""
    broker = make_mosquitto()
    broker.kill()
    stop, ready = threading.Event(), threading.Event()
    settings = IngestSettings(BrokerSettings(broker.url), f"sqlite:///{tmp_path / 'c.db'}", retry_first_s=0.1)
    thread = threading.Thread(
        target=run_ingest, args=(settings, stop), kwargs={"utc_ms": utc_ms, "on_ready": ready.set}
    )
    thread.start()
    assert not ready.wait(0.3)
    broker.start()
    assert ready.wait(5)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_unusable_database_ends_the_worker(mosquitto: Mosquitto) -> None:
    """A worker without a database ends at once, with a line that says which."""
    settings = IngestSettings(BrokerSettings(mosquitto.url), "sqlite:////no/such/folder/c.db")
    with pytest.raises(SyncFatalError, match="/no/such/folder"):
        run_ingest(settings, threading.Event(), utc_ms=utc_ms)
