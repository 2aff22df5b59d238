"""Bookkeeping of what was sent, with times passed in."""

import pytest

from cloud_sync.uplink.flights import ByteWindow, Flight, Flights, Pace
from cloud_sync.wire import Channel


def flights(*, most: int = 100, window: int = 100, window_bytes: int = 10_000) -> tuple[Pace, Flights]:
    pace = Pace(most=most, timeout_s=30, timeout_most_s=100)
    return pace, Flights(pace, window=window, window_bytes=ByteWindow(least=window_bytes, most=window_bytes))


def flight(first: int, last: int | None = None, size_bytes: int = 10) -> Flight:
    return Flight(Channel.ROLLUP, first, last or first, size_bytes, handed_at_s=0)


def test_window_counts_what_the_broker_has_not_answered() -> None:
    """The window is full by messages or by bytes, and a PUBACK makes room."""
    _, sent = flights(window=2, window_bytes=100)
    sent.add(1, flight(1))
    assert sent.has_room()
    sent.add(2, flight(2))
    assert not sent.has_room()
    sent.delivered(1, 1)
    assert sent.has_room()
    sent.add(3, flight(3, size_bytes=95))
    sent.delivered(2, 1)
    assert sent.has_room()
    sent.add(4, flight(4))
    assert not sent.has_room(), "by bytes"


def test_puback_of_a_stranger_means_nothing() -> None:
    """A packet id that this connection never used belongs to no message."""
    _, sent = flights()
    sent.add(1, flight(1))
    assert sent.delivered(7, 1) is None
    assert sent.unconfirmed == 1


def test_answer_of_the_cloud_may_come_before_the_puback() -> None:
    """A message that the cloud confirms first is done, and its PUBACK later only makes room."""
    _, sent = flights()
    sent.add(1, flight(1, 5))
    sent.confirm(5, [])
    assert sent.unconfirmed == 0
    sent.delivered(1, 1)
    assert sent.overdue(1000) == []


@pytest.mark.parametrize("puback_first", [True, False])
def test_refusal_is_an_answer(*, puback_first: bool) -> None:
    """A message that the cloud refuses waits no longer, before its PUBACK or after, and the cloud is not silent."""
    pace, sent = flights()
    pace.silence()
    for mid, (first, last) in enumerate([(1, 4), (5, 6)], start=1):
        sent.add(mid, flight(first, last))
        if puback_first:
            sent.delivered(mid, 0)
    assert sent.refuse(1, 3) is None
    assert sent.refuse(2, 4) is None
    refused = sent.refuse(1, 4)
    assert refused is not None
    assert (refused.first, refused.last) == (1, 4)
    assert sent.refuse(1, 4) is None, "it counts once"
    assert (sent.unconfirmed, pace.silences) == (1, 0)
    if not puback_first:
        sent.delivered(1, 0)
        sent.delivered(2, 0)
    assert [late.first for late in sent.overdue(1000)] == [5]


def test_message_is_confirmed_whole() -> None:
    """A message is done when all of its rows are, by ``through`` or by one of the ranges."""
    _, sent = flights()
    for mid, (first, last) in enumerate([(1, 4), (5, 6), (8, 9)], start=1):
        sent.add(mid, flight(first, last))
        sent.delivered(mid, 0)
    sent.confirm(3, [(8, 12)])
    assert sorted(late.first for late in sent.overdue(1000)) == [1, 5]


def test_silence_is_counted_from_the_puback() -> None:
    """Time in the broker's queue is not held against the cloud, and each late message is told once."""
    pace, sent = flights()
    sent.add(1, flight(1))
    assert sent.overdue(1000) == []
    sent.delivered(1, 1000)
    assert sent.overdue(1029) == []
    assert [late.first for late in sent.overdue(1030)] == [1]
    assert sent.overdue(1030) == []
    assert (pace.allowance, pace.timeout_s) == (1, 60)


def test_pace_falls_to_one_and_opens_with_the_first_answer() -> None:
    """While the cloud is silent one message asks, ever more rarely; an answer brings back the short timeout."""
    pace, sent = flights(most=4)
    for mid in range(1, 5):
        assert sent.may_send_data()
        sent.add(mid, flight(mid))
        sent.delivered(mid, 0)
    assert not sent.may_send_data()
    assert len(sent.overdue(30)) == 4
    for attempt in range(5):
        assert sent.may_send_data()
        sent.add(10 + attempt, flight(1))
        assert not sent.may_send_data()
        sent.delivered(10 + attempt, 0)
        if attempt < 4:
            assert len(sent.overdue(1000)) == 1
    assert pace.timeout_s == 100
    sent.confirm(1, [])
    assert (pace.allowance, pace.timeout_s) == (2, 30)


def test_where_nobody_listens_is_asked_soon() -> None:
    """When the broker says that nobody listens the next question comes soon, and the ones after it ever more rarely."""
    pace, sent = flights()
    sent.add(1, flight(1))
    sent.delivered(1, 0)
    pace.nobody()
    assert (pace.allowance, pace.timeout_s) == (1, 5)
    for mid, timeout_s in enumerate([10, 20, 40], start=2):
        assert len(sent.overdue(1000)) == 1
        sent.add(mid, flight(1))
        sent.delivered(mid, 0)
        pace.nobody()
        assert pace.timeout_s == timeout_s
    sent.confirm(1, [])
    assert pace.timeout_s == 30


def test_what_is_not_of_the_outbox_waits_for_nobody() -> None:
    """State, birth and health take room until their PUBACK, and the cloud owes no answer for them."""
    _, sent = flights()
    sent.add(1, flight(0, 0))
    assert sent.handed == 1
    assert sent.unconfirmed == 0
    sent.delivered(1, 0)
    assert sent.overdue(1000) == []
    assert sent.handed == 0


def test_nobody_listening_is_asked_again_soon() -> None:
    """Where the broker says that nobody listens, one message asks again in seconds, then less and less often."""
    pace, sent = flights()
    for mid in range(1, 4):
        sent.add(mid, flight(mid))
        sent.delivered(mid, 0)
        pace.nobody()
    assert not sent.may_send_data()
    assert sent.overdue(4.9) == []
    assert len(sent.overdue(5)) == 3
    for waits_s in (10, 20, 40):
        assert pace.timeout_s == waits_s
        sent.add(9, flight(9))
        sent.delivered(9, 100)
        pace.nobody()
        assert len(sent.overdue(100 + waits_s)) == 1
    sent.add(10, flight(10))
    sent.confirm(10, [])
    assert pace.timeout_s == 30
