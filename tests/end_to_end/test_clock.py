"""A box without a clock of its own: the real agent starts in 1970, and its clock is set while it works."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.programs import (
    Program,
    events_in_the_cloud,
    events_on_the_box,
    rollups_in_the_cloud,
    rollups_on_the_box,
    rows,
)
from tests.end_to_end.test_survival import configuration
from tests.waiting import eventually

AN_HOUR_S = 3600


class Machine:
    """The agent on a machine whose clock is what a file says."""

    def __init__(self, folder: Path, broker: str, libfaketime: Path) -> None:
        self.broker = broker
        self._folder, self._starts = folder, 0
        self._setting = folder / "clock"
        self._arguments = ("run", "--config", configuration(folder, broker))
        self._environment = {
            "LD_PRELOAD": str(libfaketime),
            "FAKETIME_TIMESTAMP_FILE": str(self._setting),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.database = folder / "data" / "hedgerow.db"
        self.set_off(AN_HOUR_S - time.time())

    def set_off(self, seconds: float) -> None:
        """Let the clock be so far off the true time."""
        whole = self._setting.with_suffix(".new")
        whole.write_text(f"{round(seconds):+d}", encoding="utf-8")
        whole.replace(self._setting)

    def start(self) -> Program:
        self._starts += 1
        log = self._folder / f"agent-{self._starts}.log"
        self.agent = Program(self._arguments, log, environment=self._environment).start()
        return self.agent

    def windows(self) -> Counter[int]:
        """Frames of both cameras by window, on the box."""
        return frames_of(self.database, "window_start_s")


def frames_of(database: Path, start: str) -> Counter[int]:
    if not database.exists():
        return Counter()
    found: Counter[int] = Counter()
    for window, frames in rows(database, f"SELECT {start}, frames FROM rollup WHERE class_name = '*'"):
        found[window] += frames
    return found


@pytest.fixture
def machine(tmp_path: Path, make_mosquitto, libfaketime: Path) -> Iterator[Machine]:
    made = Machine(tmp_path, make_mosquitto().url, libfaketime)
    yield made
    made.agent.kill()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_agent_that_starts_in_1970(tmp_path: Path, machine: Machine, start) -> None:
    """Rows are sent while the clock is not set; it is set, and the agent is killed with ``kill -9`` right then and once
    more a moment later: the store and the cloud have all that was counted at its true time, once."""
    began_s = time.time()
    cloud = tmp_path / "cloud.db"
    start("ingest", "--broker", machine.broker, "--database", f"sqlite:///{cloud}")
    agent = machine.start()
    eventually(lambda: cloud.exists() and sum(frames_of(cloud, "start").values()) >= 12, 60, agent.said)
    assert max(machine.windows()) < began_s - 86_400, "it knows the time, though nobody has told it"
    seen = machine.windows().total()

    machine.set_off(0)
    for wait_s in (0.0, 1.2):
        time.sleep(wait_s)
        agent.kill()
        agent = machine.start()
    agent.wait_for_word("camera=south .*state=live")
    agent.wait_for_word("clock_was_wrong|agent_ready")
    time.sleep(3)
    assert agent.end() == 0
    agent = machine.start()
    eventually(lambda: not differences(machine.database, cloud), 60, lambda: f"{differences(machine.database, cloud)}")
    agent.end()
    eventually(lambda: not differences(machine.database, cloud), 20)

    ended_s = time.time()
    assert all(began_s - 2 <= window <= ended_s for window in machine.windows())
    assert all(began_s - 2 <= at_ms / 1000 <= ended_s for _, _, at_ms, _ in events_in_the_cloud(cloud))
    assert machine.windows().total() >= seen
    assert all(frames <= 8 for frames in machine.windows().values()), "two frames a second of two cameras, and a jitter"
    with closing(sqlite3.connect(cloud)) as connection:
        assert connection.execute("SELECT DISTINCT state FROM clock").fetchall() == [("set",)]


def differences(box: Path, cloud: Path) -> dict[str, set[tuple]]:
    """What one end has and the other has not."""
    both = {
        "rollups": rollups_on_the_box(box) ^ rollups_in_the_cloud(cloud),
        "events": set(events_on_the_box(box)) ^ set(events_in_the_cloud(cloud)),
    }
    return {name: some for name, some in both.items() if some}
