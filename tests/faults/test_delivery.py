"""From the outbox to the cloud, with real brokers in between: the plain way, and what the cloud knows of its boxes."""

import signal
from pathlib import Path

from cloud_sync.ingest import schema
from cloud_sync.wire import Channel
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BOX, BoxEnd, CloudEnd, expected_rollups, fast_settings
from tests.faults.processes import start_process
from tests.waiting import eventually


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
