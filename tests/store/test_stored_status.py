"""What ``hedgerow status`` tells of the outbox, from the files alone."""

from pathlib import Path

from agent.store import stored_status, summary_lines
from tests.store.offline_box import OfflineBox


def test_status_tells_channels_and_what_was_set_aside(tmp_path: Path) -> None:
    """Each channel says what waits, and what can never be sent is listed with its reason, for programs and people."""
    box = OfflineBox(tmp_path, 1_700_000_000)
    box.event("e")
    box.event("a", alarm=True)
    box.event("b", alarm=True)
    box.written()
    box.outbox.quarantine(2, "a packet of 900 bytes, where 500 are allowed").result(5)
    status = stored_status(tmp_path)
    outbox = status["outbox"]
    assert {channel: each["entries"] for channel, each in outbox["channels"].items()} == {
        "alarm": 1,
        "event": 1,
        "shed": 1,
    }
    assert outbox["entries"] == 3
    assert outbox["bytes"] == sum(each["bytes"] for each in outbox["channels"].values())
    assert outbox["quarantined"] == 1
    (aside,) = outbox["quarantine"]
    assert (aside["stream"], aside["seq"], aside["channel"]) == (box.outbox.stream, 2, "alarm")
    lines = summary_lines(status)
    assert "set aside  alarm 2: a packet of 900 bytes, where 500 are allowed" in lines
    assert sum(line.startswith("waiting ") for line in lines) == 3
    box.close()
