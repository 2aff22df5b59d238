"""The link is cut at each type of packet: before it, in the middle of it and behind it, on both sides of the broker."""

from collections.abc import Callable

import pytest

from cloud_sync.wire import DATA_CHANNELS, Channel
from tests.faults.ends import eventually
from tests.faults.matrix import Result
from tests.faults.packet_proxy import PacketProxy, Place, of_kind
from tests.faults.packets import Kind, Packet
from tests.faults.site import Site

PLACES: tuple[Place, ...] = ("before", "middle", "behind")


def is_data(packet: Packet) -> bool:
    return packet.channel in DATA_CHANNELS


def is_ack(packet: Packet) -> bool:
    return packet.channel is Channel.ACK


# What is cut: the way that the packet goes at the box's link, at the cloud's link, and how it is known.
CASES: dict[str, tuple[bool, bool, Callable[[Packet], bool]]] = {
    "CONNECT": (True, True, of_kind(Kind.CONNECT)),
    "CONNACK": (False, False, of_kind(Kind.CONNACK)),
    "SUBSCRIBE": (True, True, of_kind(Kind.SUBSCRIBE)),
    "SUBACK": (False, False, of_kind(Kind.SUBACK)),
    "PUBLISH of data": (True, False, is_data),
    "PUBACK of data": (False, True, of_kind(Kind.PUBACK)),
    "PUBLISH of an ack": (False, True, is_ack),
    "PUBACK of an ack": (True, False, of_kind(Kind.PUBACK)),
    "PINGREQ": (True, True, of_kind(Kind.PINGREQ)),
    "PINGRESP": (False, False, of_kind(Kind.PINGRESP)),
    "DISCONNECT": (True, True, of_kind(Kind.DISCONNECT)),
}


@pytest.mark.parametrize("packet", CASES)
def test_cut_at_each_packet(site: Site, result: Result, packet: str) -> None:
    """Cut before, within and behind a packet"""
    site.start_cloud()
    site.start_box()
    site.commit(5)
    site.drain()
    near, far, matches = CASES[packet]
    for link, upwards in ((site.near, near), (site.far, far)):
        for place in PLACES:
            cut = link.cut_at(matches, upwards=upwards, place=place)
            provoke(site, link, packet)
            eventually(lambda cut=cut: cut.left == 0)
            result.faults += 1
            site.commit(3)
    site.drain()
    site.check(result)


def provoke(site: Site, link: PacketProxy, packet: str) -> None:
    """Make the packet that is to be cut travel."""
    if packet in ("CONNECT", "CONNACK", "SUBSCRIBE", "SUBACK"):
        link.cut()
    elif packet == "DISCONNECT":
        end = site.box if link is site.near else site.cloud
        site.drain()
        end.stop_uplink() if link is site.near else end.stop()
        site.start_box() if link is site.near else site.start_cloud()
    elif "P" in packet[:1] and "PING" not in packet:
        site.commit(3)
