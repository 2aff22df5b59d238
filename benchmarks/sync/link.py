"""A backlog over a slow link: how full the link is kept, what a row costs, how long an alarm takes.

A real mosquitto and a real ingest behind a TCP proxy that lets so many bits a second pass each way::

    python -m benchmarks.sync.link --kbit 64 --seconds 30
"""

import argparse
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.sync.rows import minute_bodies
from cloud_sync.ingest import schema as cloud_schema
from cloud_sync.outbox import append
from cloud_sync.wire import Channel
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, CloudEnd, eventually, fast_settings
from tests.uplink.slow_link import SlowLink

MORE_THAN_FITS = 100
"""Minutes in the backlog for each 10 kB that the link carries: more than twice what it can drain."""


def main() -> None:
    """Run it once, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kbit", type=float, default=64.0, help="of the link, each way")
    parser.add_argument("--seconds", type=float, default=30.0, help="of draining that are measured")
    options = parser.parse_args()
    program = shutil.which("mosquitto")
    if program is None:
        raise SystemExit("this needs mosquitto: apt-get install mosquitto")
    with tempfile.TemporaryDirectory() as name:
        measure(program, Path(name), options.kbit * 1000, options.seconds)


def measure(program: str, folder: Path, bits_per_s: float, seconds: float) -> None:
    """Fill an outbox, drain it for a while, and send alarms into the middle of it."""
    broker = Mosquitto(program, folder, free_port())
    broker.start()
    box, cloud = BoxEnd(folder / "box.db"), CloudEnd(folder / "cloud.db")
    try:
        fill(box, round(MORE_THAN_FITS * bits_per_s / 8000 * seconds / 10))
        cloud.start(broker.url)
        with SlowLink(broker.port, bits_per_s) as link:
            box.start_uplink(fast_settings(link.url, ack_timeout_s=30, ack_timeout_most_s=600, claim_answer_s=10))
            eventually(lambda: cloud.count(cloud_schema.rollup) > 0, within_s=60)
            report(box, cloud, link, bits_per_s, seconds)
            box.stop_uplink()
    finally:
        cloud.close()
        box.close()
        broker.stop()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fill(box: BoxEnd, minutes: int) -> None:
    """Commit so many minutes at once."""

    def work(connection: object) -> None:
        for body in minute_bodies(minutes):
            append(connection, Channel.ROLLUP, body, boot=1, created_utc_ns=0)  # type: ignore[arg-type]

    box.writer.submit(work).result(600)


def report(box: BoxEnd, cloud: CloudEnd, link: SlowLink, bits_per_s: float, seconds: float) -> None:
    """Measure between two moments of a drain under way."""
    began, sent = time.monotonic(), link.sent_bytes
    rows = stored_rows(cloud)
    alarms: list[float] = []
    while time.monotonic() - began < seconds:
        threading.Event().wait(seconds / 6)
        alarms.append(alarm_takes(box, cloud))
    passed = time.monotonic() - began
    carried, stored = link.sent_bytes - sent, stored_rows(cloud) - rows
    assert box.uplink is not None
    print(f"link         {bits_per_s / 1000:g} kbit/s, {passed:.1f} s measured, {link.connections} connection")
    print(f"utilisation  {carried / (bits_per_s / 8 * passed):.3f} of the link is filled while the backlog drains")
    print(f"rows         {stored} stored, {carried / max(stored, 1):.2f} bytes a row on the wire")
    print(f"alarms       {', '.join(f'{took:.2f}' for took in alarms)} s from commit to the cloud's database")
    print(f"backlog left {len(box.waiting())} entries; the measure holds only while there is one")


def stored_rows(cloud: CloudEnd) -> int:
    """Count the rows that the cloud has."""
    return cloud.count(cloud_schema.rollup)


def alarm_takes(box: BoxEnd, cloud: CloudEnd) -> float:
    """Return how long one alarm takes to be durable in the cloud."""
    before = cloud.count(cloud_schema.event)
    began = time.monotonic()
    box.add_event("fire", channel=Channel.ALARM).result(10)
    eventually(lambda: cloud.count(cloud_schema.event) > before, within_s=120)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
