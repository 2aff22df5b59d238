"""The uplink against real brokers: what it sends, when it believes that it arrived, and what it does in trouble."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_sync.mqtt import BrokerSettings
from cloud_sync.uplink import LinkState
from cloud_sync.uplink import uplink as uplink_module
from cloud_sync.wire import (
    AckMessage,
    BirthMessage,
    Channel,
    HealthMessage,
    RollupMessage,
    StateMessage,
    parse_topic,
    rows_of,
)
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BOX, BoxEnd, fast_settings, rollup_row
from tests.faults.listener import Listener
from tests.faults.processes import start_process
from tests.faults.scripted import CONNACK, ScriptedBroker
from tests.waiting import eventually

EVERYTHING = "hedgerow/v1/#"


def states(listener: Listener) -> list[str]:
    """What was said of the box; the questions whether the name is free are no statement."""
    heard = [message for message in listener.messages(Channel.STATE) if isinstance(message, StateMessage)]
    return [message.state for message in heard if not message.claiming]


def test_box_introduces_itself(broker: Broker, box: BoxEnd) -> None:
    """A box that connects leaves its birth and state with the broker, and tells its health regularly."""
    box.start_uplink(fast_settings(broker.url, health_every_s=0.3))
    with Listener(broker.url, EVERYTHING) as listener:
        eventually(lambda: len(listener.messages(Channel.HEALTH)) >= 2)
        assert states(listener) == ["online"]
        birth = listener.messages(Channel.BIRTH)[0]
        assert isinstance(birth, BirthMessage)
        assert birth.stream == box.outbox.stream
        assert all(isinstance(message, HealthMessage) for message in listener.messages(Channel.HEALTH))
    with Listener(broker.url, EVERYTHING) as late:
        eventually(lambda: len(late.heard) >= 2)
        retained = {parse_topic(arrived.topic)[1] for arrived in late.heard if arrived.retain}
        assert retained == {Channel.BIRTH, Channel.STATE}


def test_clean_stop_flushes_and_says_goodbye(broker: Broker, box: BoxEnd) -> None:
    """A box that stops hands over what waits, leaves the state "offline", and is gone within two seconds."""
    with Listener(broker.url, EVERYTHING) as listener:
        uplink = box.start_uplink(fast_settings(broker.url))
        eventually(lambda: uplink.status().state is LinkState.ONLINE)
        box.add_event("agent-stopped").result(5)
        assert box.stop_uplink() < 2.5
        eventually(lambda: states(listener) == ["online", "offline"])
        assert [message.kind for message in listener.messages(Channel.EVENT)] == ["agent-stopped"]
    assert uplink.status().state is LinkState.OFFLINE


def test_broker_tells_of_a_box_that_vanished(broker: Broker, tmp_path: Path) -> None:
    """A box that is killed is reported offline by the broker, also to those who come later."""
    process = start_process("uplink", tmp_path / "box.db", broker.url)
    with Listener(broker.url, EVERYTHING) as listener:
        eventually(lambda: states(listener) == ["online"])
        process.kill()
        process.wait()
        eventually(lambda: states(listener) == ["online", "offline"])
    with Listener(broker.url, EVERYTHING) as late:
        eventually(lambda: states(late) == ["offline"])


def test_joined_rollups_are_the_rows_that_were_added(broker: Broker, box: BoxEnd) -> None:
    """A backlog goes out in few messages, whose rows and seqs are those of the entries."""
    box.add_rollups(0, 100).result(5)
    with Listener(broker.url, EVERYTHING) as listener:
        box.start_uplink(fast_settings(broker.url))
        messages: list[RollupMessage] = []

        def all_heard() -> bool:
            messages[:] = [m for m in listener.messages(Channel.ROLLUP) if isinstance(m, RollupMessage)]
            return sum(message.count for message in messages) == 100

        eventually(all_heard)
        assert len(messages) < 5
        messages.sort(key=lambda message: message.seq)  # the newest ones may come first
        assert [(m.seq, m.boot) for m in messages] == [
            (1 + sum(m.count for m in messages[:index]), 1) for index in range(len(messages))
        ]
        assert [row for message in messages for row in rows_of(message.columns)] == [rollup_row(n) for n in range(200)]


def test_only_the_clouds_word_settles(broker: Broker, box: BoxEnd) -> None:
    """PUBACKs of the broker settle nothing; the cloud's ack settles what it names, also ranges."""
    box.add_rollups(0, 5).result(5)
    with Listener(broker.url, EVERYTHING) as cloud:
        uplink = box.start_uplink(fast_settings(broker.url, ack_timeout_s=60, join_bytes=1))
        eventually(lambda: len(cloud.messages(Channel.ROLLUP)) == 5)
        time.sleep(0.2)
        assert box.waiting() == [1, 2, 3, 4, 5]
        assert uplink.status().in_flight == 5
        ack = AckMessage(stream=box.outbox.stream, through=2, ranges=((4, 4),))
        cloud.publish(BOX.topic(Channel.ACK), ack)
        eventually(lambda: box.waiting() == [3, 5])
        eventually(lambda: (uplink.status().in_flight, uplink.status().confirmed_through) == (2, 2))


@pytest.mark.parametrize(
    "ack",
    [
        AckMessage(stream="f" * 32, through=5),
        b"nonsense",
        b"",
    ],
)
def test_wrong_acks_settle_nothing(mosquitto: Mosquitto, box: BoxEnd, ack: AckMessage | bytes) -> None:
    """An ack of another stream, or one that is none, is ignored, and the link goes on."""
    _nothing_settles(mosquitto, box, ack)


def test_ack_beyond_what_was_sent_settles_nothing(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """An ack of seqs that were never given, as after a restored backup, is refused whole."""
    _nothing_settles(mosquitto, box, AckMessage(stream=box.outbox.stream, through=1, ranges=((3, 6),)))


def _nothing_settles(mosquitto: Mosquitto, box: BoxEnd, ack: AckMessage | bytes) -> None:
    box.add_rollups(0, 5).result(5)
    with Listener(mosquitto.url, EVERYTHING) as cloud:
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=60))
        eventually(lambda: cloud.messages(Channel.ROLLUP))
        cloud.publish(BOX.topic(Channel.ACK), ack)
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=box.outbox.stream, through=1))
        eventually(lambda: box.waiting() == [2, 3, 4, 5])


def test_broker_mode_settles_at_the_puback(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """Where the broker's word is enough, rows leave at its PUBACK, if somebody is subscribed."""
    box.add_rollups(0, 5).result(5)
    uplink = box.start_uplink(fast_settings(mosquitto.url, confirm="broker", ack_timeout_s=0.2))
    eventually(lambda: "nobody is subscribed" in uplink.status().detail)
    assert box.waiting() == [1, 2, 3, 4, 5]
    with Listener(mosquitto.url, EVERYTHING):
        eventually(lambda: box.waiting() == [])
        eventually(lambda: uplink.status().detail == "")


def test_last_confirmed_entries_wait_for_nothing_else(
    mosquitto: Mosquitto, box: BoxEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is confirmed in the rest between two writes leaves when that is over, though nothing happens any more."""
    monkeypatch.setattr(uplink_module, "STEP_S", 60)
    for number in range(150):
        box.add_event(f"event {number}")
    with Listener(mosquitto.url, EVERYTHING):
        uplink = box.start_uplink(fast_settings(mosquitto.url, confirm="broker"))
        eventually(lambda: uplink.status().confirmed_through == 150)


def test_silent_cloud_is_not_flooded(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """Without an ingest a few messages go out and then one now and then; the first answer opens the way."""
    box.add_rollups(0, 300).result(5)
    with Listener(mosquitto.url, EVERYTHING) as cloud:
        uplink = box.start_uplink(fast_settings(mosquitto.url, join_bytes=1, ack_timeout_s=0.3, ack_timeout_most_s=0.6))
        time.sleep(2)
        assert len(cloud.messages(Channel.ROLLUP)) < 30
        assert uplink.status().detail == "the cloud does not answer"
        sent = cloud.messages(Channel.ROLLUP)[0].seq
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=box.outbox.stream, through=0, ranges=((sent, sent),)))
        eventually(lambda: sent not in box.waiting())


def test_silent_cloud_does_not_hold_alarms_back(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """An alarm goes out at once to whoever listens, also while rollups wait for a cloud that is silent."""
    box.add_rollups(0, 300).result(5)
    with Listener(mosquitto.url, EVERYTHING) as listener:
        uplink = box.start_uplink(fast_settings(mosquitto.url, join_bytes=1, ack_timeout_s=0.2, ack_timeout_most_s=600))
        eventually(lambda: uplink.status().detail == "the cloud does not answer")
        time.sleep(0.6)
        before = len(listener.messages(Channel.ROLLUP))
        box.add_event("fire", channel=Channel.ALARM).result(5)
        eventually(lambda: len(listener.messages(Channel.ALARM)) == 1, within_s=2)
        assert len(listener.messages(Channel.ROLLUP)) <= before + 1


def test_many_unreadable_entries_are_set_aside(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """Hundreds of entries that are no message are moved aside one after the other; the good one behind them arrives."""
    for _ in range(250):
        box.add_raw(Channel.EVENT, b"{}")
    box.add_event("good").result(5)
    with Listener(mosquitto.url, EVERYTHING) as listener:
        uplink = box.start_uplink(fast_settings(mosquitto.url))
        eventually(lambda: [message.kind for message in listener.messages(Channel.EVENT)] == ["good"])
        eventually(lambda: uplink.status().quarantined == 250)


def test_oversize_entry_is_set_aside(make_mosquitto: Callable[..., Mosquitto], box: BoxEnd) -> None:
    """An entry that can never fit the broker is quarantined with the reason; what is behind it arrives."""
    broker = make_mosquitto("max_packet_size 3000")
    box.add_event("small").result(5)
    noise = {f"k{number}": f"{number * 7919:x}" for number in range(1000)}  # compresses to more than the limit
    box.add_event("huge", **noise).result(5)
    box.add_event("last").result(5)
    with Listener(broker.url, EVERYTHING) as listener:
        uplink = box.start_uplink(fast_settings(broker.url))
        eventually(lambda: len(listener.messages(Channel.EVENT)) == 2)
        eventually(lambda: uplink.status().quarantined == 1)
        assert "where 3000 are allowed" in box.quarantined()[2]
        assert uplink.status().connects == 1


def test_oversize_batch_is_split(make_mosquitto: Callable[..., Mosquitto], box: BoxEnd) -> None:
    """Rollups that do not fit together go in smaller parts; none is quarantined."""
    broker = make_mosquitto("max_packet_size 900")
    box.add_rollups(0, 100).result(5)
    with Listener(broker.url, EVERYTHING) as listener:
        uplink = box.start_uplink(fast_settings(broker.url))

        def covered() -> int:
            return sum(m.count for m in listener.messages(Channel.ROLLUP) if isinstance(m, RollupMessage))

        acknowledge_all(listener, box, covered, 100)
        assert box.quarantined() == {}
        assert uplink.status().connects == 1


def acknowledge_all(cloud: Listener, box: BoxEnd, covered: Callable[[], int], total: int) -> None:
    """Play a cloud that acknowledges what it heard until all has come."""
    while covered() < total:
        cloud.publish(BOX.topic(Channel.ACK), AckMessage(stream=box.outbox.stream, through=covered()))
        time.sleep(0.1)


def test_unreadable_entry_is_set_aside(mosquitto: Mosquitto, box: BoxEnd) -> None:
    """An entry that is no message is quarantined by itself, also from the middle of a batch."""
    box.add_rollups(0, 5)
    box.add_raw(Channel.ROLLUP, b'[["c","*","*",1]]')
    box.add_rollups(6, 5)
    box.add_raw(Channel.EVENT, b"{")
    box.add_raw(Channel.EVENT, b'{"kind": 5}').result(5)
    with Listener(mosquitto.url, EVERYTHING) as listener:
        box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=60))
        eventually(lambda: sorted(box.quarantined()) == [6, 12, 13])
        eventually(lambda: sum(len(rows_of(m.columns)) for m in listener.messages(Channel.ROLLUP)) == 20)
        assert box.quarantined()[13] == "not a valid event: kind: Input should be a valid string"


def test_window_of_the_broker_is_kept(make_mosquitto: Callable[..., Mosquitto], box: BoxEnd) -> None:
    """A broker that allows one message at a time is sent one at a time, and all arrives."""
    broker = make_mosquitto("max_inflight_messages 1")
    box.add_rollups(0, 50).result(5)
    with Listener(broker.url, EVERYTHING) as listener:
        uplink = box.start_uplink(fast_settings(broker.url, join_bytes=1))
        acknowledge_all(listener, box, lambda: len(listener.messages(Channel.ROLLUP)), 50)
        assert uplink.status().connects == 1


def test_refused_topic_is_told(make_mosquitto: Callable[..., Mosquitto], box: BoxEnd, tmp_path: Path) -> None:
    """A broker that does not let the box publish is named in the status; nothing leaves the outbox."""
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite hedgerow/#\ntopic deny hedgerow/v1/orchard/box-1/event\n", encoding="utf-8")
    rules.chmod(0o600)
    broker = make_mosquitto(f"acl_file {rules}")
    box.add_event("secret").result(5)
    uplink = box.start_uplink(fast_settings(broker.url, confirm="broker"))
    eventually(lambda: "refuses hedgerow/v1/orchard/box-1/event: Not authorized (0x87)" in uplink.status().detail)
    assert uplink.status().state is LinkState.ONLINE
    assert box.waiting() == [1]


def test_wrong_password_is_told(make_mosquitto: Callable[..., Mosquitto], require, box: BoxEnd, tmp_path: Path) -> None:
    """A wrong password is named as the reason, and the right one in the same file is enough to come online."""
    passwords = tmp_path / "passwords"
    subprocess.run([require("mosquitto_passwd"), "-b", "-c", passwords, "box", "right"], check=True)
    passwords.chmod(0o600)
    broker = make_mosquitto(f"password_file {passwords}", "allow_anonymous false")
    secret = tmp_path / "secret"
    secret.write_text("wrong\n", encoding="utf-8")
    settings = BrokerSettings(broker.url, username="box", password_file=secret)
    uplink = box.start_uplink(fast_settings(broker.url, broker=settings))
    eventually(lambda: "refuses the connection: Not authorized" in uplink.status().detail)
    secret.write_text("right\n", encoding="utf-8")
    eventually(lambda: uplink.status().state is LinkState.ONLINE)
    assert uplink.status().detail == ""


def test_broker_that_is_away_is_waited_for(box: BoxEnd, make_mosquitto: Callable[..., Mosquitto]) -> None:
    """A broker that comes later is found; until then the status says what is wrong."""
    broker = make_mosquitto()
    broker.kill()
    uplink = box.start_uplink(fast_settings(broker.url))
    eventually(lambda: uplink.status().state is LinkState.OFFLINE)
    assert "nobody listens there" in uplink.status().detail
    broker.start()
    eventually(lambda: uplink.status().state is LinkState.ONLINE)
    assert uplink.status().broker == f"127.0.0.1:{broker.port}"


def test_broker_without_pubacks_is_given_up(box: BoxEnd) -> None:
    """A broker that accepts and acknowledges nothing is left, and tried again."""
    with ScriptedBroker(CONNACK) as broker:
        uplink = box.start_uplink(fast_settings(broker.url, puback_timeout_s=0.2))
        eventually(lambda: broker.connections >= 2)
        eventually(lambda: uplink.status().state is LinkState.OFFLINE)
        assert uplink.status().detail == "the broker has stopped to acknowledge messages"


def test_acks_that_cannot_be_heard_are_told(box: BoxEnd) -> None:
    """A broker that refuses the subscription to acks is no use, and the status says so."""
    with ScriptedBroker(CONNACK + b"\x90\x04\x00\x01\x00\x87") as broker:
        uplink = box.start_uplink(fast_settings(broker.url))
        eventually(lambda: "does not let this box subscribe" in uplink.status().detail)
        assert box.waiting() == []


def test_tls_needs_the_right_authority(
    make_mosquitto: Callable[..., Mosquitto], require, box: BoxEnd, tmp_path: Path
) -> None:
    """With the broker's authority the link is encrypted; with the system's it is refused, and the reason is told."""
    certificate, key = _self_signed(require("openssl"), tmp_path)
    broker = make_mosquitto(f"certfile {certificate}", f"keyfile {key}")
    url = f"mqtts://localhost:{broker.port}"
    uplink = box.start_uplink(fast_settings(url))
    eventually(lambda: "is not accepted" in uplink.status().detail)
    box.stop_uplink()
    uplink = box.start_uplink(fast_settings(url, broker=BrokerSettings(url, ca_file=certificate)))
    eventually(lambda: uplink.status().state is LinkState.ONLINE)


def _self_signed(openssl: str, folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
