"""Channels that the broker refuses rest by themselves, with times passed in."""

from cloud_sync.uplink.parking import Parking
from cloud_sync.wire import Channel

EVENT, ROLLUP = Channel.EVENT, Channel.ROLLUP


def test_refused_channel_holds_no_other_up() -> None:
    """A channel rests after a refusal; the others go on."""
    parking = Parking(first_s=5, most_s=600)
    parking.refused(EVENT, 0)
    assert not parking.allows(EVENT, 4.9)
    assert parking.allows(ROLLUP, 0)
    assert parking.allows(EVENT, 5)


def test_one_message_asks_again_ever_more_rarely() -> None:
    """After its rest one message asks, and each refusal doubles the rest, up to the limit."""
    parking = Parking(first_s=5, most_s=15)
    parking.refused(EVENT, 0)
    now_s = 5.0
    for rest_s in (10, 15, 15):
        parking.sent(EVENT)
        assert not parking.allows(EVENT, now_s + 1000), "its answer is awaited"
        parking.refused(EVENT, now_s)
        assert not parking.allows(EVENT, now_s + rest_s - 0.1)
        now_s += rest_s
        assert parking.allows(EVENT, now_s)


def test_hundred_refusals_at_once_count_as_one() -> None:
    """What was on its way when the first one was refused says nothing new."""
    parking = Parking(first_s=5, most_s=600)
    for _ in range(100):
        parking.refused(EVENT, 0)
    assert parking.allows(EVENT, 5)


def test_accepted_channel_is_free() -> None:
    """One good answer ends it."""
    parking = Parking(first_s=5, most_s=600)
    parking.refused(EVENT, 0)
    parking.accepted(EVENT)
    assert parking.allows(EVENT, 0)


def test_answer_that_was_cut_off_is_asked_for_anew() -> None:
    """A connection that ended before the answer came does not block the channel for ever."""
    parking = Parking(first_s=5, most_s=600)
    parking.refused(EVENT, 0)
    parking.sent(EVENT)
    parking.new_connection()
    assert parking.allows(EVENT, 5)
