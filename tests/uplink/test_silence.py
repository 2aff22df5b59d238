"""A broker that is frozen and a link that carries nothing are noticed, and what waited is delivered afterwards."""

import os
import signal
from pathlib import Path

import pytest

from cloud_sync.mqtt import BrokerSettings
from cloud_sync.uplink import LinkState, UplinkSettings
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, CloudEnd, expected_rollups, fast_settings
from tests.faults.proxy import Proxy
from tests.uplink.slow_link import SlowLink
from tests.waiting import eventually


def watchful(url: str) -> UplinkSettings:
    """The rule of the default settings in a tenth of the time."""
    return fast_settings(url, broker=BrokerSettings(url, keepalive_s=1, connect_timeout_s=1))


def pid_of(broker: Mosquitto) -> int:
    """The process of a broker, by the port that it alone has."""
    name = f"mosquitto-{broker.port}.conf"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if name in (entry / "cmdline").read_text(encoding="utf-8", errors="replace"):
                    return int(entry.name)
            except OSError:
                continue
    raise AssertionError("the broker does not run")


@pytest.mark.parametrize("backlog", [0, 300])
def test_frozen_broker_is_noticed(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd, backlog: int) -> None:
    """A broker that is stopped keeps its sockets open: idle or in the middle of a backlog, the box leaves it, says why,
    and goes on once it runs again."""
    cloud.start(mosquitto.url)
    uplink = box.start_uplink(watchful(mosquitto.url))
    eventually(lambda: uplink.status().state is LinkState.ONLINE)
    os.kill(pid_of(mosquitto), signal.SIGSTOP)
    try:
        box.add_rollups(0, backlog)
        eventually(lambda: uplink.status().state is LinkState.OFFLINE)
        assert "has fallen silent" in uplink.status().detail
    finally:
        os.kill(pid_of(mosquitto), signal.SIGCONT)
    eventually(lambda: uplink.status().state is LinkState.ONLINE)
    eventually(lambda: box.waiting() == [])
    assert cloud.rollups() == expected_rollups(backlog)


def test_half_open_link_is_noticed(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """A link that carries nothing any more, and tells nobody, is left while nothing is being sent."""
    with Proxy(mosquitto.port) as link:
        uplink = box.start_uplink(watchful(link.url))
        eventually(lambda: uplink.status().state is LinkState.ONLINE)
        link.stall()
        eventually(lambda: uplink.status().state is not LinkState.ONLINE)
        link.resume()
        eventually(lambda: uplink.status().state is LinkState.ONLINE)


def test_large_message_on_a_slow_link_is_waited_for(mosquitto: Mosquitto, box: BoxEnd, cloud: CloudEnd) -> None:
    """A message that takes longer than keepalive and answer together does not make the broker look dead."""
    cloud.start(mosquitto.url)
    noise = {f"k{number}": f"{number * 7919 * 104729 % 2**40:x}" for number in range(4000)}
    with SlowLink(mosquitto.port, 32_000) as link:
        patient = BrokerSettings(link.url, keepalive_s=3)
        uplink = box.start_uplink(fast_settings(link.url, broker=patient))
        eventually(lambda: uplink.status().state is LinkState.ONLINE)
        box.add_event("large", **noise).result(5)
        eventually(lambda: box.waiting() == [], within_s=30)
        assert link.sent_bytes > 7 * 4000, "it took longer than six seconds"
        assert link.connections == 1
        box.stop_uplink()
