"""The link is cut at each type of packet: before it, in the middle of it and behind it, on both sides of the broker."""

from collections.abc import Callable

import pytest

from cloud_sync.wire import DATA_CHANNELS, Channel
from tests.faults.matrix import Result
from tests.faults.packet_proxy import Place, of_kind
from tests.faults.packets import Kind, Packet
from tests.faults.site import Site
from tests.waiting import eventually

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
    for place in PLACES:
        cuts = [link.cut_at(matches, upwards=way, place=place) for link, way in ((site.near, near), (site.far, far))]
        provoke(site, packet)
        eventually(lambda cuts=cuts: not any(cut.left for cut in cuts))
        result.faults += len(cuts)
    site.drain()
    site.check(result)


def provoke(site: Site, packet: str) -> None:
    """Make the packet that is to be cut travel on both links; pings travel by themselves."""
    if packet in ("CONNECT", "CONNACK", "SUBSCRIBE", "SUBACK"):
        site.near.cut()
        site.far.cut()
    elif packet == "DISCONNECT":
        site.drain()
        site.box.stop_uplink()
        site.cloud.stop()
        site.start_cloud()
        site.start_box()
    site.commit(3)
