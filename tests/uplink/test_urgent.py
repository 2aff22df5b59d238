"""What is urgent overtakes what is old, also what was handed over: a real broker, a real ingest, a slow link."""

from benchmarks.sync.rows import minute_bodies
from cloud_sync.ingest import schema as cloud_schema
from cloud_sync.outbox import append
from cloud_sync.wire import Channel
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, CloudEnd, fast_settings
from tests.uplink.slow_link import SlowLink
from tests.waiting import eventually


def test_alarm_waits_for_seconds_of_the_link_not_for_the_backlog(
    mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd
) -> None:
    """On 64 kbit/s no more than five seconds of bytes go before an alarm, however much waits; and the newest rollups do
    not wait for the oldest."""

    def fill(connection) -> None:
        for body in minute_bodies(1000):
            append(connection, Channel.ROLLUP, body, boot=1, created_utc_ns=0)

    box.writer.submit(fill).result(30)
    cloud.start(mosquitto.url)
    with SlowLink(mosquitto.port, 64_000) as link:
        box.start_uplink(fast_settings(link.url, ack_timeout_s=30, claim_answer_s=10))
        eventually(lambda: cloud.count(cloud_schema.rollup) > 1500, within_s=30)
        before = link.sent_bytes
        box.add_event("fire", channel=Channel.ALARM).result(5)
        eventually(lambda: cloud.count(cloud_schema.event) == 1, within_s=30)
        assert link.sent_bytes - before < 40_000
        seqs = {seq for first, last in cloud.received() for seq in range(first, last + 1)}
        assert {1, 1000} <= seqs, "the oldest and the newest come beside each other"
        assert len(seqs) < 800
        assert link.connections == 1
        box.stop_uplink()
