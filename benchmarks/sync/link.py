"""A backlog over a slow link: how full the link is kept, what a row costs, how long an alarm takes.

A real mosquitto and a real ingest behind a TCP proxy that lets so many bits a second pass each way.
"""

import threading
import time
from pathlib import Path

from sqlalchemy import Connection

from benchmarks.figures import Figure
from benchmarks.sync.programs import mosquitto
from benchmarks.sync.rows import minute_bodies
from cloud_sync.ingest import schema as cloud_schema
from cloud_sync.outbox import append
from cloud_sync.wire import Channel
from tests.faults.ends import BoxEnd, CloudEnd, fast_settings
from tests.uplink.slow_link import SlowLink
from tests.waiting import eventually

MORE_THAN_FITS = 100
"""Minutes in the backlog for each 10 kB that the link carries: more than twice what it can drain."""


def measure(folder: Path, *, bits_per_s: float, seconds: float) -> list[Figure]:
    """Fill an outbox, drain it for a while, and send alarms into the middle of it."""
    box, cloud = BoxEnd(folder / "box.db"), CloudEnd(folder / "cloud.db")
    try:
        with mosquitto(folder) as broker:
            fill(box, round(MORE_THAN_FITS * bits_per_s / 8000 * seconds / 10))
            cloud.start(broker.url)
            with SlowLink(broker.port, bits_per_s) as link:
                box.start_uplink(fast_settings(link.url, ack_timeout_s=30, ack_timeout_most_s=600, claim_answer_s=10))
                eventually(lambda: cloud.count(cloud_schema.rollup) > 0, within_s=60)
                figures = drain(box, cloud, link, bits_per_s, seconds)
                box.stop_uplink()
            cloud.stop()
    finally:
        cloud.close()
        box.close()
    return figures


def fill(box: BoxEnd, minutes: int) -> None:
    """Commit so many minutes at once."""

    def work(connection: Connection) -> None:
        for body in minute_bodies(minutes):
            append(connection, Channel.ROLLUP, body, boot=1, created_utc_ns=0)

    box.writer.submit(work).result(600)


def drain(box: BoxEnd, cloud: CloudEnd, link: SlowLink, bits_per_s: float, seconds: float) -> list[Figure]:
    """Measure between two moments of a drain under way."""
    began, sent = time.monotonic(), link.sent_bytes
    alarms: list[float] = []
    while time.monotonic() - began < seconds:
        threading.Event().wait(seconds / 6)
        alarms.append(alarm_takes(box, cloud))
    passed = time.monotonic() - began
    carried = link.sent_bytes - sent
    if not box.waiting():
        raise SystemExit("the backlog ended before the measurement")
    share = carried / (bits_per_s / 8 * passed)
    name = f"{bits_per_s / 1000:g} kbit/s"
    return [
        Figure(f"share of a link of {name} that a backlog fills", "", (share,), at_least=0.91),
        Figure(f"alarm past a backlog over {name}, to the database", "s", tuple(alarms)),
    ]


def alarm_takes(box: BoxEnd, cloud: CloudEnd) -> float:
    """Return how long one alarm takes to be durable in the cloud."""
    before = cloud.count(cloud_schema.event)
    began = time.monotonic()
    box.add_event("fire", channel=Channel.ALARM).result(10)
    eventually(lambda: cloud.count(cloud_schema.event) > before, within_s=120)
    return time.monotonic() - began
