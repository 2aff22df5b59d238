"""From the outbox to the cloud's database, with real brokers in between, whatever happens between them."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

from cloud_sync.ingest import schema
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.wire import Channel
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BOX, BoxEnd, CloudEnd, eventually, expected_rollups, fast_settings
from tests.faults.processes import start_process
from tests.faults.proxy import Proxy


def test_committed_rows_reach_the_cloud_once(broker: Broker, box: BoxEnd, cloud: CloudEnd) -> None:
    """What is committed on the box is in the cloud's database, each row once, and then leaves the outbox."""
    cloud.start(broker.url)
    box.add_rollups(0, 300)
    box.add_event("agent-started", version="1")
    uplink = box.start_uplink(fast_settings(broker.url))
    box.add_rollups(300, 50)
    box.add_event("on-fire", channel=Channel.ALARM).result(10)
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(350)
    assert {(row.channel, row.kind) for row in cloud.rows(schema.event)} == {
        ("event", "agent-started"),
        ("alarm", "on-fire"),
    }
    assert cloud.received() == [(1, 352)]
    eventually(lambda: uplink.status().confirmed_through == 352)
    assert uplink.status().sent_messages < 60, "a backlog of rollups travels joined"


def test_killed_broker_loses_and_doubles_nothing(broker: Broker, box: BoxEnd, cloud: CloudEnd) -> None:
    """A broker that is killed and comes back empty, with messages on the way, costs no row and doubles none."""
    cloud.start(broker.url)
    box.start_uplink(fast_settings(broker.url, join_bytes=1))  # single messages: many of them are on the way
    for part in range(2):
        box.add_rollups(100 * part, 100).result(10)
        eventually(lambda part=part: cloud.count(schema.rollup) > 200 * part + 20)
        broker.kill()
        box.add_event("while-away", part=part).result(10)
        broker.start()
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(200)
    assert sorted(row.data for row in cloud.rows(schema.event)) == [f'{{"part": {part}}}' for part in range(2)]
    assert cloud.received() == [(1, 202)]


def test_killed_ingest_worker_loses_and_doubles_nothing(broker: Broker, box: BoxEnd, tmp_path: Path) -> None:
    """An ingest worker that is killed between receiving, storing and acknowledging costs no row and doubles none."""
    database = tmp_path / "cloud.db"
    cloud = CloudEnd(database)
    worker = start_process("ingest", database, broker.url)
    box.start_uplink(fast_settings(broker.url, join_bytes=1))
    try:
        for part in range(2):
            box.add_rollups(100 * part, 100).result(10)
            eventually(lambda part=part: cloud.count(schema.rollup) > 200 * part + 20)
            worker.kill()
            worker.wait()
            worker = start_process("ingest", database, broker.url)
        eventually(lambda: box.waiting() == [])
    finally:
        worker.kill()
        worker.wait()
    assert cloud.rollups() == expected_rollups(200)
    assert cloud.received() == [(1, 200)]
    cloud.close()


def test_killed_box_loses_and_doubles_nothing(mosquitto: Mosquitto, cloud: CloudEnd, tmp_path: Path) -> None:
    """A box that is killed while it sends continues with its outbox; meanwhile the broker says that it is offline."""
    database = tmp_path / "box.db"
    seed = BoxEnd(database)
    seed.add_rollups(0, 400).result(10)
    seed.close()
    cloud.start(mosquitto.url)
    process = start_process("uplink", database, mosquitto.url)
    eventually(lambda: cloud.count(schema.rollup) > 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    eventually(lambda: [row.state for row in cloud.rows(schema.device)] == ["offline"])
    again = BoxEnd(database)
    again.add_rollups(400, 50)
    again.start_uplink(fast_settings(mosquitto.url))
    eventually(lambda: cloud.rollups() == expected_rollups(450))
    eventually(lambda: again.waiting() == [] and cloud.rows(schema.device)[0].state == "online")
    again.close()


def test_random_cuts_lose_and_double_nothing(broker: Broker, box: BoxEnd, cloud: CloudEnd) -> None:
    """A link that is cut at random bytes, on both sides of the broker, costs no row and doubles none."""
    dice = random.Random(20240917)
    with Proxy(broker.port) as near, Proxy(broker.port) as far:
        cloud.start(far.url)
        box.start_uplink(fast_settings(near.url, join_bytes=600))
        for part in range(8):
            link = near if part % 2 else far
            link.cut_after(dice.randrange(100, 2500))
            box.add_rollups(40 * part, 40).result(10)
            eventually(lambda link=link: not link.will_cut)
        eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(320)
    assert cloud.received() == [(1, 320)]


def test_stalled_link_is_noticed(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd) -> None:
    """A link that is open and carries nothing is given up after two keepalives, and what it held is sent again."""
    cloud.start(mosquitto.url)
    with Proxy(mosquitto.port) as link:
        uplink = box.start_uplink(fast_settings(link.url, broker=BrokerSettings(link.url, keepalive_s=1)))
        eventually(lambda: uplink.status().state == "online")
        link.stall()
        box.add_rollups(0, 20).result(10)
        eventually(lambda: uplink.status().state != "online", within_s=5)
        assert uplink.status().detail != ""
        link.resume()
        eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(20)


def test_lost_acks_cost_messages_but_no_rows(
    make_mosquitto: Callable[..., Mosquitto], box: BoxEnd, cloud: CloudEnd, tmp_path: Path
) -> None:
    """Where no ack arrives the box keeps its rows and sends them again; the cloud's rows stay single."""
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite hedgerow/#\ntopic deny hedgerow/v1/orchard/box-1/ack\n", encoding="utf-8")
    rules.chmod(0o600)
    broker = make_mosquitto(f"acl_file {rules}")
    cloud.start(broker.url)
    uplink = box.start_uplink(fast_settings(broker.url, ack_timeout_s=0.3, ack_timeout_most_s=0.3))
    box.add_rollups(0, 5).result(10)
    eventually(lambda: uplink.status().sent_messages > 8)
    assert box.waiting() == [1, 2, 3, 4, 5]
    assert cloud.rollups() == expected_rollups(5)
    rules.write_text("topic readwrite hedgerow/#\n", encoding="utf-8")
    broker.reload()
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(5)


def test_two_workers_share_the_work(broker: Broker, box: BoxEnd, cloud: CloudEnd, tmp_path: Path) -> None:
    """Two workers on one database store each row once, and the box hears of all of them."""
    second = CloudEnd(tmp_path / "cloud.db")
    cloud.start(broker.url, client_id="worker-1")
    second.start(broker.url, client_id="worker-2")
    box.start_uplink(fast_settings(broker.url, join_bytes=1))
    box.add_rollups(0, 200).result(10)
    eventually(lambda: box.waiting() == [])
    second.close()
    assert cloud.rollups() == expected_rollups(200)
    assert cloud.received() == [(1, 200)]


def test_cloud_knows_its_boxes(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd) -> None:
    """What a box says of itself is kept for each box: state, birth, health and when it was last heard."""
    cloud.start(mosquitto.url)
    box.start_uplink(fast_settings(mosquitto.url))
    eventually(lambda: [row for row in cloud.rows(schema.device) if row.health and row.birth])
    row = cloud.rows(schema.device)[0]
    assert (row.site, row.device, row.state, row.boot) == (BOX.site, BOX.device, "online", 1)
    assert row.last_seen_ms > 0
    box.stop_uplink()
    eventually(lambda: cloud.rows(schema.device)[0].state == "offline")
    assert cloud.count(schema.device) == 1
