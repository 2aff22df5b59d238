"""What brokers refuse, message by message: each ends accepted, rejected or kept, and none holds the others up."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from cloud_sync.uplink import UplinkSettings
from cloud_sync.wire import AckMessage, Channel
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BOX, BoxEnd, fast_settings
from tests.faults.listener import Listener
from tests.uplink.picky import PickyBroker
from tests.waiting import eventually


def picky(broker: PickyBroker, **changes: Any) -> UplinkSettings:
    """Settings for a broker that gives nothing back of what a box asks."""
    return fast_settings(broker.url, claim_answer_s=0.1, **changes)


@pytest.mark.parametrize("confirm", ["broker", "cloud"])
def test_what_can_never_succeed_is_laid_aside(box: BoxEnd, confirm: str) -> None:
    """A message that the broker will never take is quarantined with the broker's reason; those behind it arrive."""
    box.add_event("good")
    box.add_event("poison")
    box.add_event("last").result(5)
    with PickyBroker(lambda payload: 0x99 if b"poison" in payload else 0) as broker:
        box.start_uplink(picky(broker, confirm=confirm))
        eventually(lambda: 2 in box.quarantined())
        assert box.quarantined()[2] == "the broker refuses it for good: Payload format invalid (0x99)"
        eventually(lambda: broker.accepted(b"last") >= 1)
        assert broker.asked(b"poison") == 1
        if confirm == "broker":
            eventually(lambda: box.waiting() == [])


def test_limit_that_no_broker_told_is_learnt(box: BoxEnd) -> None:
    """A broker that hangs up on a packet as too large is not sent it for ever: it is laid aside, and the rest goes."""
    box.add_event("large", text=noise(9000).hex())
    box.add_event("last").result(5)
    with PickyBroker(lambda payload: 0x95 if len(payload) > 4000 else 0) as broker:
        box.start_uplink(picky(broker, confirm="broker"))
        eventually(lambda: box.waiting() == [])
        assert "a packet of" in box.quarantined()[1]
        assert broker.accepted(b"last") >= 1


def test_one_bad_row_in_a_batch_is_found(box: BoxEnd) -> None:
    """Of a joined message that is refused for good only the entry at fault is laid aside."""
    box.add_rollups(0, 16).result(5)
    with PickyBroker(lambda payload: 0x99 if broker.holds(payload, 11) else 0) as broker:
        box.start_uplink(picky(broker, confirm="broker"))
        eventually(lambda: box.waiting() == [] and sorted(box.quarantined()) == [11])


@pytest.mark.parametrize("reason", [0x87, 0x97, 0x80, 0x10])
def test_refused_channel_is_kept_and_tried_again(box: BoxEnd, reason: int) -> None:
    """What may become better is kept, and asked for now and then, while the other channels are delivered."""
    refusing = threading.Event()
    refusing.set()
    box.add_event("kept")
    box.add_event("kept-too")
    box.add_rollups(0, 20).result(5)
    with PickyBroker(lambda payload: reason if b'"kind"' in payload and refusing.is_set() else 0) as broker:
        uplink = box.start_uplink(picky(broker, confirm="broker", join_bytes=1))
        eventually(lambda: box.waiting() == [1, 2])
        eventually(lambda: broker.asked(b'"kept"') >= 2)
        assert "/event" in uplink.status().detail
        assert box.quarantined() == {}
        refusing.clear()
        eventually(lambda: box.waiting() == [])
        eventually(lambda: uplink.status().detail == "")


def test_new_stream_on_demand(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """Asked for a new stream, the box numbers what waits anew, introduces itself with it, and sends all again."""
    box.add_event("one")
    box.add_event("two").result(5)
    before = box.outbox.stream
    with Listener(mosquitto.url, "hedgerow/v1/#") as cloud:
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=60))
        eventually(lambda: len(cloud.messages(Channel.EVENT)) == 2)
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=before, through=1))
        eventually(lambda: box.waiting() == [2])
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=before, through=900, remint="a copied database"))
        eventually(lambda: box.outbox.stream != before)
        eventually(lambda: [m.seq for m in cloud.messages(Channel.EVENT)] == [1, 2, 1])  # type: ignore[attr-defined]
        fresh = cloud.messages(Channel.EVENT)[-1]
        assert (fresh.kind, fresh.stream) == ("two", box.outbox.stream)  # type: ignore[attr-defined]
        births = [(birth.stream, birth.next_seq) for birth in cloud.messages(Channel.BIRTH)]  # type: ignore[attr-defined]
        assert births == [(before, 3), (box.outbox.stream, 2)]
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=before, through=2))
        box.add_event("three").result(5)
        eventually(lambda: len(cloud.messages(Channel.EVENT)) == 4)
        assert box.waiting() == [1, 2], "an ack of the old stream settles nothing"
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=box.outbox.stream, through=2))
        eventually(lambda: box.waiting() == [])


def test_evidence_and_losses_travel(make_mosquitto: Callable[..., Mosquitto], box: BoxEnd) -> None:
    """A picture and a record of what was shed go out whole; a picture that fits no packet is laid aside."""
    broker = make_mosquitto("max_packet_size 20000")
    picture = {"kind": "intruder", "camera": "north", "at_ms": 1, "width": 64, "height": 48}
    box.add_evidence(picture, bytes(range(256)) * 8)
    box.add_evidence(picture, noise(60_000))
    box.add_event("last").result(5)
    with Listener(broker.url, "hedgerow/v1/#") as listener:
        uplink = box.start_uplink(fast_settings(broker.url))
        eventually(lambda: listener.messages(Channel.EVIDENCE) and listener.messages(Channel.SHED))
        [evidence] = listener.messages(Channel.EVIDENCE)
        assert evidence.jpeg == bytes(range(256)) * 8  # type: ignore[attr-defined]
        [shed] = listener.messages(Channel.SHED)
        assert (shed.ranges, shed.reason) == (((2, 2),), "rejected")  # type: ignore[attr-defined]
        assert "where 20000 are allowed" in box.quarantined()[2]
        assert uplink.status().connects == 1


def noise(size_bytes: int) -> bytes:
    """Bytes that do not compress."""
    return b"".join((number * 2654435761 % 2**32).to_bytes(4, "big") for number in range(size_bytes // 4))
