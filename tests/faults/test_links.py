"""A poor link on either side of the broker: cut at any byte, stalled, repeating and reordering what it carries."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.brokers import Mosquitto
from tests.faults.fixtures import SITES
from tests.faults.matrix import Result
from tests.faults.scale import LONG, times
from tests.faults.site import Site, dice_of
from tests.waiting import eventually


@pytest.mark.parametrize("site", SITES, indirect=True)
def test_cut_at_random_bytes(site: Site, result: Result) -> None:
    """Cut at random bytes, on either side of the broker"""
    dice = dice_of("cuts")
    site.start_cloud()
    site.start_box()
    for _ in range(times(12, long=200)):
        link = dice.choice((site.near, site.far))
        link.cut_after(dice.randrange(1, 4000))
        while link.will_cut:
            site.commit(2)
            time.sleep(0.02)  # what is committed while a link is away must be sent afterwards
        result.faults += 1
    site.drain()
    site.check(result)
    assert result.reconnects >= result.faults - 1, "the last cut may come when all is done"


def test_both_links_cut_at_once(site: Site, result: Result) -> None:
    """Cut at random moments, both links at once"""
    dice = dice_of("moments")
    site.start_cloud()
    site.start_box()
    for _ in range(times(6, long=100)):
        before = site.near.connections, site.far.connections
        site.commit(dice.randrange(1, 12))
        site.near.cut()
        site.far.cut()
        eventually(lambda before=before: site.near.connections > before[0] and site.far.connections > before[1])
        result.faults += 1
    site.drain()
    site.check(result)


def test_stalled(site: Site, result: Result) -> None:
    """Open, and carries nothing for longer than the keepalive"""
    site.start_cloud()
    site.start_box()
    for _ in range(times(1, long=4)):
        uplink = site.box.uplink
        assert uplink is not None
        eventually(lambda uplink=uplink: uplink.status().state == "online")
        site.near.stall()
        site.commit(20)
        eventually(lambda uplink=uplink: uplink.status().state != "online", within_s=30)
        assert uplink.status().detail != ""
        site.near.resume()
        result.faults += 1
    site.drain()
    site.check(result)


# Not on rumqttd: it hangs up on whoever acknowledges out of order.
@pytest.mark.parametrize("site", SITES[:2] if LONG else SITES[:1], indirect=True)
def test_repeats_and_reorders(site: Site, result: Result) -> None:
    """Each message up to three times, in any order, both ways"""
    site.start_cloud()
    site.start_box()
    site.near.shuffle(dice_of("near"))
    site.far.shuffle(dice_of("far"))
    for _ in range(times(10, long=100)):
        site.commit(10)
        result.faults += 1
    site.drain()
    site.check(result)
    assert result.duplicates > site.steps


def test_acks_lost(
    make_mosquitto: Callable[..., Mosquitto],
    make_site: Callable[..., Site],
    tmp_path: Path,
    result: Result,
) -> None:
    """No ack of the cloud arrives for a while"""
    rules = tmp_path / "acl"
    rules.touch(mode=0o600)
    allow, deny = "topic readwrite hedgerow/#\n", "topic deny hedgerow/v1/orchard/box-1/ack\n"
    rules.write_text(allow, encoding="utf-8")
    broker = make_mosquitto(f"acl_file {rules}")
    site = make_site(broker)
    site.start_cloud()
    site.start_box(ack_timeout_s=0.2, ack_timeout_most_s=0.2)
    for _ in range(times(1, long=20)):
        rules.write_text(allow + deny, encoding="utf-8")
        broker.reload()
        uplink = site.box.uplink
        assert uplink is not None
        before = uplink.status().sent_messages
        site.commit(3)
        eventually(lambda before=before, uplink=uplink: uplink.status().sent_messages > before + 8)
        assert site.box.waiting() != [], "nobody has answered for it"
        rules.write_text(allow, encoding="utf-8")
        broker.reload()
        site.drain()
        result.faults += 1
    site.check(result)
    assert result.duplicates > 0
