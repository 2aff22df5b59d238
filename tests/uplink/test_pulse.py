"""Whether a peer counts as alive, with times passed in."""

from cloud_sync.mqtt import BrokerSettings
from cloud_sync.mqtt.pulse import ANSWER_MOST_S as ANSWER_S
from cloud_sync.mqtt.pulse import Beat, Pulse

KEEPALIVE_S = BrokerSettings("mqtt://h").keepalive_s


def greeted() -> Pulse:
    pulse = Pulse(0, greeting_s=10)
    pulse.heard(0)
    pulse.greeted(KEEPALIVE_S)
    return pulse


def test_silence_is_asked_and_then_ends() -> None:
    """After a keepalive of silence one ping goes out; without an answer it is over within 30 s of the last word."""
    pulse = greeted()
    assert pulse.look(14.9, 0) is Beat.FINE
    assert pulse.look(15, 0) is Beat.PING
    assert pulse.look(15.1, 10) is Beat.FINE
    assert pulse.look(15 + ANSWER_S, 10) is Beat.FINE
    assert pulse.look(15.2 + ANSWER_S, 10) is Beat.DEAD
    assert 15.2 + ANSWER_S < 30


def test_answer_starts_anew() -> None:
    """A peer that answers is asked again only after the next silence."""
    pulse = greeted()
    pulse.look(15, 0)
    pulse.heard(16)
    assert pulse.look(30.9, 0) is Beat.FINE
    assert pulse.look(31, 0) is Beat.PING


def test_slow_link_is_no_dead_one() -> None:
    """While bytes of ours arrive there, however slowly, an answer may wait behind them."""
    pulse = greeted()
    assert pulse.look(15, 0) is Beat.PING
    for second in range(16, 100):
        assert pulse.look(second, acked_bytes=second) is Beat.FINE
    assert pulse.look(99 + ANSWER_S + 0.1, acked_bytes=99) is Beat.DEAD


def test_peer_that_never_says_a_word_is_left() -> None:
    """Who takes the connection and does not greet is given up in the time that is set for connecting."""
    pulse = Pulse(0, greeting_s=10)
    assert pulse.look(10, 0) is Beat.FINE
    assert pulse.look(10.1, 0) is Beat.DEAD


def test_broker_that_wants_no_keepalive_is_not_asked() -> None:
    """A server keepalive of 0 turns it off."""
    pulse = Pulse(0, greeting_s=10)
    pulse.greeted(0)
    assert pulse.look(1e6, 0) is Beat.FINE
