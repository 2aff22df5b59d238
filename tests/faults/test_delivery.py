"""From the outbox to the cloud's database, with real brokers in between, and back."""

from cloud_sync.ingest import schema
from cloud_sync.wire import Channel
from tests.faults.brokers import Broker
from tests.faults.ends import BoxEnd, CloudEnd, eventually, expected_rollups, fast_settings


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
