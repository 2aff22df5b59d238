"""What the tap prints."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.tap import TapSettings, run_tap
from cloud_sync.wire import (
    AckMessage,
    Box,
    Channel,
    EventMessage,
    MeasureRow,
    Message,
    Refusal,
    RollupMessage,
    StateMessage,
    columns_of,
    measure_columns_of,
)
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BOX, birth_message, health_message, rollup_row
from tests.faults.listener import Listener
from tests.waiting import eventually

STREAM = "0123456789abcdef" * 2
ROLLUP = RollupMessage(
    stream=STREAM,
    seq=4,
    count=2,
    boot=1,
    columns=columns_of([rollup_row(n, unique_tracks=n) for n in range(50)]),
    measures=measure_columns_of([MeasureRow("north", "gate", "apple", "dwell_s", 60, 60, 1, 5, 12.5, 1.0, 4.0)]),
)
EVENT = EventMessage(stream=STREAM, seq=6, boot=1, kind="camera-state", camera="north", at_ms=1, data={"state": "live"})


@contextmanager
def tap(url: str, **settings: object) -> Iterator[list[str]]:
    """Run a tap; yield the lines that it writes."""
    lines: list[str] = []
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=run_tap,
        args=(TapSettings(BrokerSettings(url), **settings), stop),
        kwargs={"write": lines.append, "utc_ms": lambda: 1_700_000_000_000, "on_ready": ready.set},
    )
    thread.start()
    assert ready.wait(5)
    yield lines
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def say(url: str, *messages: tuple[Channel, Message | bytes], box: Box = BOX) -> None:
    with Listener(url, "nothing") as client:
        for channel, message in messages:
            client.publish(box.topic(channel), message)
        eventually(lambda: not client._todo)


def test_lines_are_for_people(broker: Broker) -> None:
    """Each message is one line: time, box, channel, and what it comes to."""
    with tap(broker.url) as lines:
        state = StateMessage(state="online", boot=3, since_ms=1_700_000_000_000)
        said = [(Channel.ROLLUP, ROLLUP), (Channel.EVENT, EVENT), (Channel.STATE, state), (Channel.ALARM, b"{")]
        say(broker.url, *said, (Channel.BIRTH, birth_message(STREAM)), (Channel.HEALTH, health_message()))
        eventually(lambda: len(lines) == 6)
    broken = "alarm: message: Invalid JSON: EOF while parsing an object at line 1 column 1 (1 problems)"
    start = "2023-11-14T22:13:20Z orchard/box-1"
    assert sorted(lines) == sorted(
        [
            f"{start} rollup seq 4-5: 50 rows; north apple 1225",
            f"{start} event seq 6: camera-state north state=live",
            f"{start} state online since 2023-11-14T22:13:20Z, boot 3",
            f"2023-11-14T22:13:20Z hedgerow/v1/orchard/box-1/alarm not understood (1 bytes): {broken}",
            f"{start} birth hedgerow 0.1.0; model orchard on openvino; cameras north",
            f"{start} health load 0.1, disk 50% free, outbox 0; ",
        ]
    )


def test_acks_tell_what_is_durable_and_what_is_refused(mosquitto: Mosquitto) -> None:
    """An ack shows how far all is durable, what is beyond, and what the cloud will never take, with the reason."""
    refused = (Refusal(4, 4, "a rule"), Refusal(9, 12, "an index"))
    with tap(mosquitto.url, channels=(Channel.ACK,)) as lines:
        say(mosquitto.url, (Channel.ACK, AckMessage(stream=STREAM, through=3, ranges=((5, 8),), refused=refused)))
        eventually(lambda: lines)
    start = "2023-11-14T22:13:20Z orchard/box-1"
    assert lines == [f"{start} ack through 3, 5-8; refused 4: a rule; refused 9-12: an index"]


def test_json_has_topic_and_rows(broker: Broker) -> None:
    """With JSON each line is an object: topic, and the message, a rollup's rows as rows; or what is wrong."""
    with tap(broker.url, as_json=True, channels=(Channel.ROLLUP, Channel.EVENT)) as lines:
        say(broker.url, (Channel.ROLLUP, ROLLUP), (Channel.EVENT, b"nonsense"), (Channel.ALARM, EVENT))
        eventually(lambda: len(lines) == 2)
    found = {value["topic"].rsplit("/", 1)[1]: value for value in map(json.loads, lines)}
    rows, measures = (found["rollup"]["message"].pop(name) for name in ("rows", "measures"))
    assert found["rollup"] == {
        "topic": BOX.topic(Channel.ROLLUP),
        "at_ms": 1_700_000_000_000,
        "retain": False,
        "message": {"v": 1, "stream": STREAM, "seq": 4, "count": 2, "boot": 1},
    }
    assert [(row["name"], row["class"], row["total"]) for row in measures] == [("dwell_s", "apple", 12.5)]
    expected = rollup_row(49, unique_tracks=49)._asdict()
    expected["class"] = expected.pop("class_name")
    assert rows[49] == expected
    assert found["event"]["error"].startswith("event: message: Invalid JSON")
    assert found["event"]["size_bytes"] == 8


def test_site_and_count_limit_what_is_heard(mosquitto: Mosquitto) -> None:
    """A tap of one site hears no other, and one with a count ends by itself."""
    with tap(mosquitto.url, site="orchard", count=2) as lines:
        say(mosquitto.url, (Channel.EVENT, EVENT), box=Box("vineyard", "box-1"))
        say(mosquitto.url, *[(Channel.EVENT, EVENT)] * 5)
        eventually(lambda: len(lines) == 2)
    assert all("orchard/box-1" in line for line in lines)
    assert len(lines) == 2


def test_broker_that_was_never_there_is_an_error() -> None:
    """A tap on a broker that does not answer ends with the reason."""
    settings = TapSettings(BrokerSettings("mqtt://127.0.0.1:1"))
    with pytest.raises(SyncFatalError, match="nobody listens there"):
        run_tap(settings, threading.Event(), write=print, utc_ms=lambda: 0)


def test_broker_that_comes_back_is_heard_again(mosquitto: Mosquitto) -> None:
    """A tap survives a restart of the broker."""
    with tap(mosquitto.url) as lines:
        mosquitto.kill()
        mosquitto.start()

        def heard() -> bool:
            say(mosquitto.url, (Channel.EVENT, EVENT))
            return bool(lines)

        eventually(heard)


def test_site_that_breaks_the_subscription_is_refused() -> None:
    """A wildcard is no site."""
    with pytest.raises(SyncFatalError, match="no site or device name"):
        TapSettings(BrokerSettings("mqtt://h"), site="a/#")
