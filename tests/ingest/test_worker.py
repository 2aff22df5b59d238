"""A worker against real brokers."""

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest import IngestSettings, run_ingest, schema
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.wire import AckMessage, Box, Channel, EventMessage
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BOX, BoxEnd, CloudEnd, expected_rollups, fast_settings, utc_ms
from tests.faults.listener import Listener
from tests.faults.processes import start_process
from tests.postgres import Postgres
from tests.waiting import eventually

STREAM = "0123456789abcdef" * 2
ACK = BOX.topic(Channel.ACK)


@pytest.fixture
def cloud_at() -> Iterator[Callable[[str], CloudEnd]]:
    """Make the cloud's end at an address; its worker ends with the test."""
    made: list[CloudEnd] = []

    def make(url: str) -> CloudEnd:
        made.append(CloudEnd(url))
        return made[-1]

    yield make
    for cloud in made:
        cloud.close()


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


def test_a_worker_of_one_site_leaves_the_others_alone(
    broker: Broker, cloud: CloudEnd, cloud_at: Callable[[str], CloudEnd], tmp_path: Path
) -> None:
    """Sites can go to databases of their own: a worker of one stores its boxes alone, and says so to these alone."""
    hill = cloud_at(f"sqlite:///{tmp_path / 'hill.db'}")
    hill.start(broker.url, client_id="hill-worker", site="hill")
    cloud.start(broker.url, client_id="orchard-worker", site=BOX.site)
    other = Box("hill", BOX.device)
    stream = "f" * 32
    with Listener(broker.url, ACK, other.topic(Channel.ACK)) as boxes:
        boxes.publish(BOX.topic(Channel.EVENT), event(1))
        boxes.publish(other.topic(Channel.EVENT), event(1).model_copy(update={"stream": stream}))
        eventually(lambda: {ack.stream for ack in boxes.messages(Channel.ACK)} == {STREAM, stream})
    assert [row.site for row in cloud.rows(schema.event)] == [BOX.site]
    assert [row.site for row in hill.rows(schema.event)] == ["hill"]


def test_a_site_that_would_break_the_subscription_is_refused() -> None:
    """A name with a wildcard or a slash ends the command with one line."""
    with pytest.raises(SyncFatalError, match="no site"):
        IngestSettings(BrokerSettings("mqtt://h"), "sqlite:///x.db", site="+/#")


def test_a_huge_message_does_not_reach_a_worker(mosquitto: Mosquitto, cloud: CloudEnd) -> None:
    """mosquitto keeps a packet from a worker that is larger than the worker takes; what comes after it is stored."""
    cloud.start(mosquitto.url, max_packet_bytes=300_000)
    with Listener(mosquitto.url, ACK) as box:
        box.publish(BOX.topic(Channel.EVENT), b"x" * 299_000)
        box.publish(BOX.topic(Channel.EVENT), b"x" * 2_000_000)
        box.publish(BOX.topic(Channel.EVENT), event(1))
        eventually(lambda: box.messages(Channel.ACK) == [AckMessage(stream=STREAM, through=1)])
    assert [row.size_bytes for row in cloud.rows(schema.quarantine)] == [299_000]


def test_a_huge_message_of_a_broker_that_knows_no_limit_is_set_aside(broker: Broker, cloud: CloudEnd) -> None:
    """A good message that is too large is not stored; a broker that hands it on all the same has it set aside."""
    cloud.start(broker.url, max_packet_bytes=1000)
    with Listener(broker.url, ACK) as box:
        box.publish(BOX.topic(Channel.EVENT), event(1).model_copy(update={"data": {"text": secrets.token_hex(4000)}}))
        box.publish(BOX.topic(Channel.EVENT), event(2))
        eventually(lambda: cloud.count(schema.event) == 1)
    assert [row.seq for row in cloud.rows(schema.event)] == [2]
    assert all("where 1000 are allowed" in row.reason for row in cloud.rows(schema.quarantine))


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


def test_postgresql_restarts_in_the_middle(
    mosquitto: Mosquitto,
    box: BoxEnd,
    own_postgres: Postgres,
    cloud_at: Callable[[str], CloudEnd],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """While PostgreSQL is away, stopped or killed, nothing is acknowledged; when it is back everything arrives once.

    No line of the log has the password in it.
    """
    cloud = cloud_at(own_postgres.create_database())
    cloud.start(mosquitto.url, retry_most_s=0.2)
    uplink = box.start_uplink(fast_settings(mosquitto.url, join_bytes=600, ack_timeout_s=0.5, ack_timeout_most_s=0.5))
    for turn, end in enumerate((own_postgres.stop, own_postgres.kill)):
        box.add_rollups(100 * turn, 50).result(10)
        end()
        box.add_rollups(100 * turn + 50, 50).result(10)
        sent = uplink.status().sent_messages
        eventually(lambda sent=sent: uplink.status().sent_messages > sent + 3)
        assert len(box.waiting()) >= 50
        own_postgres.start()
        eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(200)
    assert cloud.received() == [(1, 200)]
    told = str(capfd.readouterr())
    assert "for tests only" not in told
    assert told.count("ingest_stores_again") == 2


def test_worker_waits_for_its_database(mosquitto: Mosquitto, own_postgres: Postgres) -> None:
    """A database server that is not there yet is no error: the worker is ready as soon as it is."""
    url = own_postgres.create_database()
    own_postgres.stop()
    stop, ready = threading.Event(), threading.Event()
    settings = IngestSettings(BrokerSettings(mosquitto.url), url, retry_first_s=0.1, retry_most_s=0.2)
    thread = threading.Thread(
        target=run_ingest, args=(settings, stop), kwargs={"utc_ms": utc_ms, "on_ready": ready.set}
    )
    thread.start()
    assert not ready.wait(0.5)
    own_postgres.start()
    assert ready.wait(10)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_read_only_database_is_tried_again(
    mosquitto: Mosquitto, box: BoxEnd, postgres_url: str, cloud_at: Callable[[str], CloudEnd]
) -> None:
    """A server that takes no writes for a while, as a standby or one whose disk is full, costs time but no row."""
    cloud = cloud_at(postgres_url)
    cloud.start(mosquitto.url, retry_most_s=0.2)
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        own = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {own}")
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=0.5, ack_timeout_most_s=0.5))
        box.add_rollups(0, 5).result(5)
        time.sleep(0.7)
        assert box.waiting() == [1, 2, 3, 4, 5]
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {own}")
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(5)


def test_killed_workers_share_a_broker(
    mosquitto: Mosquitto, box: BoxEnd, cloud_url: str, cloud_at: Callable[[str], CloudEnd]
) -> None:
    """Of two workers, each is killed and comes back while a box sends: nothing is lost, nothing is there twice."""
    cloud = cloud_at(cloud_url)
    workers = {name: start_process("ingest", cloud_url, mosquitto.url, name) for name in ("worker-1", "worker-2")}
    box.start_uplink(fast_settings(mosquitto.url, join_bytes=600, ack_timeout_s=0.5, ack_timeout_most_s=0.5))
    try:
        for turn, name in enumerate(workers):
            box.add_rollups(60 * turn, 60).result(10)
            eventually(lambda turn=turn: cloud.count(schema.rollup) > 120 * turn + 10)
            workers[name].kill()
            workers[name].wait()
            workers[name] = start_process("ingest", cloud_url, mosquitto.url, name)
        eventually(lambda: box.waiting() == [])
    finally:
        for process in workers.values():
            process.kill()
            process.wait()
    assert cloud.rollups() == expected_rollups(120)
    assert cloud.received() == [(1, 120)]


def test_dead_worker_loses_nothing(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd) -> None:
    """A worker that is gone for good, and whose session the broker keeps, delays its share: boxes send it again."""
    cloud.start(mosquitto.url, client_id="dead", session_expiry_s=60)
    cloud.stop()
    cloud.start(mosquitto.url, client_id="alive", session_expiry_s=60)
    box.start_uplink(fast_settings(mosquitto.url, join_bytes=1, ack_timeout_s=0.3, ack_timeout_most_s=0.3))
    box.add_rollups(0, 20).result(10)
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(20)
