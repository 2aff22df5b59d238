"""What brokers refuse, message by message: each ends accepted, rejected or kept, and none holds the others up."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloud_sync.ingest import schema
from cloud_sync.outbox import append_rollups
from cloud_sync.uplink import UplinkSettings, streams
from cloud_sync.wire import AckMessage, Channel, encode
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BOX, BoxEnd, CloudEnd, fast_settings, rollup_row
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
        eventually(lambda: [m.seq for m in cloud.messages(Channel.EVENT)] == [1, 2, 1])
        fresh = cloud.messages(Channel.EVENT)[-1]
        assert (fresh.kind, fresh.stream) == ("two", box.outbox.stream)
        births = [(birth.stream, birth.next_seq) for birth in cloud.messages(Channel.BIRTH)]
        assert births == [(before, 3), (box.outbox.stream, 2)]
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=before, through=2))
        box.add_event("three").result(5)
        eventually(lambda: len(cloud.messages(Channel.EVENT)) == 4)
        assert box.waiting() == [1, 2], "an ack of the old stream settles nothing"
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=box.outbox.stream, through=2))
        eventually(lambda: box.waiting() == [])


def test_new_stream_that_begins_late_is_settled(
    mosquitto: Mosquitto, box: BoxEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that is held up for longer than the uplink waits for it makes the new stream all the same, and what the
    cloud confirms of that leaves the outbox."""
    monkeypatch.setattr(streams, "REMINT_S", 0.2)
    for number in range(10):
        box.add_event(f"event-{number}").result(5)
    before, held = box.outbox.stream, threading.Event()
    with Listener(mosquitto.url, "hedgerow/v1/#") as cloud:
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=60))
        eventually(lambda: len(cloud.messages(Channel.EVENT)) == 10)
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=before, through=8))
        eventually(lambda: box.waiting() == [9, 10])
        box.writer.submit(lambda _connection: held.wait(10))
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=before, through=0, remint="a copied database"))
        eventually(lambda: len(cloud.messages(Channel.BIRTH)) >= 2)  # it has given up waiting, and goes on as it was
        held.set()
        eventually(lambda: box.outbox.stream != before and box.waiting() == [1, 2])
        eventually(lambda: cloud.messages(Channel.BIRTH)[-1].stream == box.outbox.stream)
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


def test_refusal_for_good_of_the_one_that_asks_frees_its_channel(box: BoxEnd) -> None:
    """A channel rests, the one message that asks again is refused for good: the others of the channel go on."""
    box.add_event("poison")
    box.add_event("behind").result(5)
    judged: Counter[bytes] = Counter()

    def judge(payload: bytes) -> int:
        kind = b"poison" if b"poison" in payload else b"behind"
        judged[kind] += 1
        return 0x97 if judged[kind] == 1 else 0x99 if kind == b"poison" else 0

    with PickyBroker(judge) as broker:
        uplink = box.start_uplink(picky(broker, confirm="broker"))
        eventually(lambda: 1 in box.quarantined())
        eventually(lambda: 2 not in box.waiting())
        assert uplink.status().connects == 1


def test_ack_that_comes_before_the_puback_frees_the_channel(box: BoxEnd) -> None:
    """A channel rests, and the cloud answers for the message that asks again before the broker does: those behind it
    go on."""
    box.add_event("first")
    box.add_event("behind").result(5)
    judged: Counter[bytes] = Counter()

    def judge(payload: bytes) -> int:
        kind = b"first" if b"first" in payload else b"behind"
        judged[kind] += 1
        if judged[kind] == 2 and kind == b"first":
            broker.say(BOX.topic(Channel.ACK), encode(AckMessage(stream=box.outbox.stream, through=1)).payload)
            eventually(lambda: box.waiting() == [2])  # the box has read it
        return 0x97 if judged[kind] == 1 else 0

    with PickyBroker(judge) as broker:
        uplink = box.start_uplink(picky(broker))
        eventually(lambda: broker.accepted(b"behind") >= 1)
        assert uplink.status().connects == 1


def test_an_ack_settles_what_was_sent_alone(box: BoxEnd) -> None:
    """A box hears at its first message that the cloud has all: by a stick, or because its database is an old copy and
    these numbers meant something else. It cannot tell, so it sends each entry once, and does not slow down."""

    def judge(payload: bytes) -> int:
        if b'"kind"' in payload:
            broker.say(BOX.topic(Channel.ACK), encode(AckMessage(stream=box.outbox.stream, through=300)).payload)
        return 0

    broker = PickyBroker(judge)  # listens, and answers nobody yet
    box.start_uplink(picky(broker))
    for number in range(300):
        future = box.add_event(f"event-{number}")
    future.result(5)
    with broker:
        eventually(lambda: box.waiting() == [])
        assert broker.asked(b'"kind"') == 300


def test_text_that_no_database_holds_is_laid_aside_on_the_box(
    mosquitto: Mosquitto, box: BoxEnd, tmp_path: Path
) -> None:
    """An event or a rollup with NUL in a text is not sent for ever to a cloud that can only refuse it: the box sets it
    aside, and its record tells the cloud."""
    box.add_event("a\0b")
    rows = [rollup_row(1)._replace(camera="north\0")]
    box.writer.submit(lambda connection: append_rollups(connection, rows, boot=1, created_utc_ns=0))
    box.add_event("last").result(5)
    cloud = CloudEnd(tmp_path / "cloud.db")
    cloud.start(mosquitto.url)
    try:
        box.start_uplink(fast_settings(mosquitto.url))
        eventually(lambda: box.waiting() == [])
        assert {seq: reason.partition(":")[0] for seq, reason in box.quarantined().items()} == {
            1: "not a valid event",
            2: "not a valid rollup",
        }
        assert cloud.received() == [(1, 5)]
        assert [row.kind for row in cloud.rows(schema.event)] == ["last"]
        assert cloud.rows(schema.quarantine) == []
    finally:
        cloud.close()
