"""What a box does with the word "never" of its cloud, and with such words that are not for it."""

import pytest

from cloud_sync.uplink.settler import QUARANTINE_AT_ONCE
from cloud_sync.wire import AckMessage, Channel, Refusal, ShedMessage
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BOX, BoxEnd, fast_settings
from tests.faults.listener import Listener
from tests.waiting import eventually

ACKS = BOX.topic(Channel.ACK)


def refusal(stream: str, first: int, last: int | None = None, *, through: int = 0) -> AckMessage:
    return AckMessage(stream=stream, through=through, refused=(Refusal(first, last or first, "a rule"),))


def sent(cloud: Listener, channel: Channel) -> list[tuple[int, int]]:
    """First and last seq of each message that came."""
    return [(message.seq, message.last_seq) for message in cloud.messages(channel)]


def test_entry_that_the_cloud_refuses_is_laid_aside(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """It goes into the quarantine with the cloud's reason, once however often it is said, and a record tells of it."""
    box.add_event("good")
    box.add_event("bad").result(5)
    stream = box.outbox.stream
    with Listener(mosquitto.url, "hedgerow/v1/#") as cloud:
        uplink = box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=60))
        eventually(lambda: len(sent(cloud, Channel.EVENT)) == 2)
        for _ in range(3):
            cloud.publish(ACKS, refusal(stream, 2))
        eventually(lambda: cloud.messages(Channel.SHED))
        [told] = cloud.messages(Channel.SHED)
        assert isinstance(told, ShedMessage)
        assert (told.seq, told.ranges, told.reason, told.became) == (3, ((2, 2),), "rejected", "nothing")
        assert told.detail == "the cloud refuses it for good: a rule"
        cloud.publish(ACKS, refusal(stream, 2, through=1))
        cloud.publish(ACKS, AckMessage(stream=stream, through=1, ranges=((3, 3),)))
        eventually(lambda: box.waiting() == [])
        assert box.quarantined() == {2: told.detail}
        eventually(lambda: uplink.status().in_flight == 0)
        assert uplink.status().quarantined == 1
    assert sent(cloud, Channel.EVENT) == [(1, 1), (2, 2)]


def test_only_the_message_that_waits_is_split(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """A joined message is halved at the first word; the same word again, or one of other bounds, splits nothing."""
    box.add_rollups(0, 8).result(5)
    stream = box.outbox.stream
    with Listener(mosquitto.url, "hedgerow/v1/#") as cloud:
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=60))
        eventually(lambda: sent(cloud, Channel.ROLLUP) == [(1, 8)])
        cloud.publish(ACKS, refusal(stream, 1, 7))
        cloud.publish(ACKS, refusal(stream, 2, 8))
        cloud.publish(ACKS, refusal(stream, 1, 8))
        cloud.publish(ACKS, refusal(stream, 1, 8))
        eventually(lambda: len(sent(cloud, Channel.ROLLUP)) >= 3)
        cloud.publish(ACKS, AckMessage(stream=stream, through=4))
        eventually(lambda: box.waiting() == [5, 6, 7, 8])
        assert sent(cloud, Channel.ROLLUP) == [(1, 8), (1, 4), (5, 8)]
        assert box.quarantined() == {}


@pytest.mark.parametrize("case", ["another stream", "never sent", "durable", "asks for a new stream"])
def test_words_that_lay_nothing_aside(mosquitto: Mosquitto, box: BoxEnd, case: str) -> None:
    """Word of another stream, of seqs never sent, of what is durable, or beside the wish for a new stream."""
    box.add_event("one")
    box.add_event("two").result(5)
    stream = box.outbox.stream
    ack = {
        "another stream": refusal("f" * 32, 2),
        "never sent": AckMessage(stream=stream, through=0, refused=(Refusal(2, 2, ""), Refusal(3, 3, ""))),
        "durable": refusal(stream, 1, through=1),
        "asks for a new stream": refusal(stream, 2).model_copy(update={"remint": "a copy"}),
    }[case]
    with Listener(mosquitto.url, "hedgerow/v1/#") as cloud:
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=60))
        eventually(lambda: len(sent(cloud, Channel.EVENT)) == 2)
        cloud.publish(ACKS, ack)
        if case == "asks for a new stream":
            eventually(lambda: box.outbox.stream != stream)
        cloud.publish(ACKS, AckMessage(stream=stream, through=1))
        eventually(lambda: len(box.waiting()) == (2 if case == "asks for a new stream" else 1))
        box.stop_uplink()
    assert box.quarantined() == {}


def test_site_without_a_cloud_hears_no_cloud(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """Where the broker's word counts, nobody on the topic of the acks can make a box lay aside what waits."""
    box.add_event("waits for a subscriber").result(5)
    with Listener(mosquitto.url, ACKS) as stranger:
        uplink = box.start_uplink(fast_settings(mosquitto.url, confirm="broker"))
        eventually(lambda: "nobody is subscribed" in uplink.status().detail)
        stranger.publish(ACKS, refusal(box.outbox.stream, 1))
        eventually(lambda: stranger.heard)  # so it is on its way to the box before what follows
        with Listener(mosquitto.url, BOX.topic(Channel.EVENT)) as site:
            eventually(lambda: box.waiting() == [])
            assert (1, 1) in sent(site, Channel.EVENT)
    assert box.quarantined() == {}


def test_hundreds_of_refusals_are_worked_off(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """More refusals at once than are kept in memory are met again, and all end in the quarantine."""
    count = QUARANTINE_AT_ONCE + 50
    for number in range(count):
        box.add_event(f"bad-{number}")
    box.add_event("last").result(5)
    stream = box.outbox.stream
    with Listener(mosquitto.url, "hedgerow/v1/#") as cloud:
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=0.5, ack_timeout_most_s=0.5))

        def refuse_all() -> bool:
            for seq, _ in sent(cloud, Channel.EVENT):
                if seq <= count and seq in box.waiting():
                    cloud.publish(ACKS, refusal(stream, seq))
            return len(box.quarantined()) == count

        eventually(refuse_all, within_s=60)
    assert set(box.quarantined()) == set(range(1, count + 1))
