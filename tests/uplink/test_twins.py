"""Two boxes with one name, on real brokers: the second is refused, the first is undisturbed."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud_sync.uplink import LinkState
from cloud_sync.wire import Channel, StateMessage
from tests.faults.brokers import Broker, Mosquitto
from tests.faults.ends import BoxEnd, fast_settings
from tests.faults.listener import Listener
from tests.faults.processes import start_process
from tests.faults.proxy import Proxy
from tests.waiting import eventually

STATE = "hedgerow/v1/orchard/box-1/state"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[BoxEnd]:
    """Another box of the same name, with a database of its own."""
    end = BoxEnd(tmp_path / "other.db")
    yield end
    end.close()


def last_state(broker: Broker) -> StateMessage | None:
    """What the broker tells those who come later."""
    with Listener(broker.url, STATE) as late:
        time.sleep(0.2)
        heard = [message for message in late.messages(Channel.STATE) if isinstance(message, StateMessage)]
    return heard[0] if heard else None


def test_second_box_of_a_name_is_refused(broker: Broker, box: BoxEnd, other: BoxEnd) -> None:
    """The second one is told why and tries again; the first one stays connected, and its data goes on."""
    first = box.start_uplink(fast_settings(broker.url))
    eventually(lambda: first.status().state is LinkState.ONLINE)
    with Listener(broker.url, "hedgerow/v1/#") as listener:
        second = other.start_uplink(fast_settings(broker.url))
        eventually(lambda: second.status().state is LinkState.REFUSED)
        assert "another box is online as orchard/box-1" in second.status().detail
        other.add_event("from-the-second").result(5)
        box.add_event("from-the-first").result(5)
        eventually(lambda: listener.messages(Channel.EVENT))
        time.sleep(1)
        assert {message.kind for message in listener.messages(Channel.EVENT)} == {"from-the-first"}
    assert (first.status().state, first.status().connects) == (LinkState.ONLINE, 1)
    assert second.status().connects == 0
    state = last_state(broker)
    assert state is not None
    assert (state.state, state.stream) == ("online", box.outbox.stream)


def test_cloned_disk_is_refused(mosquitto: Mosquitto, tmp_path: Path, box: BoxEnd) -> None:
    """A copy of the whole database, the stream in it, is another run all the same."""
    box.add_event("before").result(5)
    for file in tmp_path.glob("box.db*"):
        shutil.copy(file, tmp_path / file.name.replace("box", "clone"))
    clone = BoxEnd(tmp_path / "clone.db")
    assert clone.outbox.stream == box.outbox.stream
    try:
        first = box.start_uplink(fast_settings(mosquitto.url))
        eventually(lambda: first.status().state is LinkState.ONLINE)
        second = clone.start_uplink(fast_settings(mosquitto.url))
        eventually(lambda: second.status().state is LinkState.REFUSED)
        assert first.status().connects == 1
    finally:
        clone.close()


def test_name_is_free_when_its_box_leaves(broker: Broker, box: BoxEnd, other: BoxEnd) -> None:
    """The one that waited gets the name once the first one is gone."""
    first = box.start_uplink(fast_settings(broker.url))
    eventually(lambda: first.status().state is LinkState.ONLINE)
    second = other.start_uplink(fast_settings(broker.url))
    eventually(lambda: second.status().state is LinkState.REFUSED)
    box.stop_uplink()
    eventually(lambda: second.status().state is LinkState.ONLINE)
    assert second.status().detail == ""


def test_killed_box_gets_its_name_back(broker: Broker, tmp_path: Path, box: BoxEnd) -> None:
    """A box that was killed and starts again is online at once, and is not reported offline by its former self."""
    process = start_process("uplink", tmp_path / "killed.db", broker.url)
    process.kill()
    uplink = box.start_uplink(fast_settings(broker.url))
    eventually(lambda: uplink.status().state is LinkState.ONLINE, within_s=3)
    time.sleep(0.5)
    state = last_state(broker)
    assert state is not None
    assert state.state == "online"


def test_box_that_lost_power_gets_its_name_back(mosquitto: Mosquitto, box: BoxEnd, other: BoxEnd) -> None:
    """Its former self, still online for the broker, does not answer, and its will, which comes late, is corrected."""
    with Proxy(mosquitto.port) as link:
        first = other.start_uplink(fast_settings(link.url))
        eventually(lambda: first.status().state is LinkState.ONLINE)
        link.stall()
        again = box.start_uplink(fast_settings(mosquitto.url, claim_answer_s=1))
        eventually(lambda: again.status().state is LinkState.ONLINE)
        link.cut()  # now the broker publishes the will of the former self
        eventually(lambda: (state := last_state(mosquitto)) is not None and state.stream == box.outbox.stream)
        state = last_state(mosquitto)
        assert state is not None
        assert (state.state, state.stream) == ("online", box.outbox.stream)
        other.stop_uplink()


def test_box_that_may_not_read_its_state_still_works(
    make_mosquitto: Callable[..., Mosquitto], tmp_path: Path, box: BoxEnd
) -> None:
    """Where the broker's rules hide the own state, the box is online after the time of an answer."""
    rules = tmp_path / "acl"
    rules.write_text("topic write hedgerow/#\ntopic read hedgerow/v1/orchard/box-1/ack\n", encoding="utf-8")
    rules.chmod(0o600)
    broker = make_mosquitto(f"acl_file {rules}")
    uplink = box.start_uplink(fast_settings(broker.url, claim_answer_s=0.5))
    eventually(lambda: uplink.status().state is LinkState.ONLINE)
