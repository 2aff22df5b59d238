"""What ``hedgerow status`` tells of the outbox, from the files alone."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, insert

from agent.clock import SystemClock
from agent.store import Store, open_store, stored_status, summary_lines
from agent.store.schema import event as event_table
from agent.store.schema import measure as measure_table
from agent.store.schema import rollup as rollup_table
from tests.faults.disks import SmallDisk, small_disk
from tests.store.offline_box import OfflineBox

__all__ = ["small_disk"]


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


def steps_of_status(data_dir: Path) -> int:
    """Tell how many instructions SQLite's machine runs for a status."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def watch(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_progress_handler(count, 1)

    event.listen(Engine, "connect", watch)
    try:
        stored_status(data_dir)
    finally:
        event.remove(Engine, "connect", watch)
    return steps


def remember(store: Store, minutes: range) -> None:
    """Store some minutes of two cameras, and a state of each in each minute, all before the last hour."""
    rollup = {"zone": "*", "class_name": "*", "window_s": 60, "revision": 1, "boot": 1, "monotonic_start_ns": 0}
    sums = {"observed_ms": 1, "frames": 1, "unique_tracks": 0, "presence": 0, "occupancy_max": 0, "score_sum": 0.0}
    reading = {"name": "blind_s", "readings": 1, "total": 1.0, "least": 1.0, "most": 1.0}
    with store.write.begin() as connection:
        for minute in minutes:
            for camera in ("north", "south"):
                window = {"camera": camera, "window_start_s": 60 * minute}
                connection.execute(insert(rollup_table).values(**rollup, **sums, **window, place=""))
                measure = {key: rollup[key] for key in ("zone", "class_name", "window_s", "revision", "boot")}
                connection.execute(insert(measure_table).values(**measure, **reading, **window))
                state = {"kind": "camera-state", "camera": camera, "utc_ns": minute, "monotonic_ns": 0, "boot": 1}
                connection.execute(insert(event_table).values(**state, data=f'{{"state": "{minute}", "detail": ""}}'))


@pytest.mark.parametrize("killed", [False, True])
def test_status_reads_a_disk_that_takes_no_writes(
    tmp_path: Path, small_disk: Callable[[int], SmallDisk], *, killed: bool
) -> None:
    """Of a card that the system has made read-only all is told that is on it, however the agent ended."""
    store = open_store(tmp_path / "a box", SystemClock().now())
    remember(store, range(3))
    if not killed:
        store.close()
    card = small_disk(16_000_000).folder
    shutil.copytree(store.path.parent, card / "a box")
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", card], check=True)
    assert [camera["state"] for camera in stored_status(card / "a box")["cameras"]] == ["2", "2"]


def test_status_does_not_read_the_history(tmp_path: Path) -> None:
    """With a history forty times as long, status costs about the same, and tells newest states and the oldest row."""
    with open_store(tmp_path, SystemClock().now()) as store:
        remember(store, range(50))
    short = steps_of_status(tmp_path)
    with open_store(tmp_path, SystemClock().now()) as store:
        remember(store, range(50, 2000))
    assert steps_of_status(tmp_path) < 1.2 * short
    status = stored_status(tmp_path)
    assert [(each["camera"], each["state"]) for each in status["cameras"]] == [("north", "1999"), ("south", "1999")]
    assert status["history"] == {"since_s": 0, "until_s": 60 * 1999}
    assert any("history since 1970-01-01 00:00 UTC" in line for line in summary_lines(status))
