"""What the box has committed reaches the cloud's database, each record once, whatever is killed in between."""

import time
from pathlib import Path

import pytest

from tests.end_to_end.programs import events_in_the_cloud, events_on_the_box, rollups_in_the_cloud, rollups_on_the_box
from tests.waiting import eventually

OUTAGE_S = 60


def configuration(folder: Path, broker: str) -> Path:
    path = folder / "hedgerow.toml"
    path.write_text(
        f"""
        [box]
        site = "farm"
        device = "box-1"
        [storage]
        data_dir = "{folder}/data"
        rollup_s = 1
        [[cameras]]
        name = "north"
        source = "sim:orchard?seed=1&width=640&height=360"
        fps = 2
        [[cameras]]
        name = "south"
        source = "sim:orchard?seed=2&width=640&height=360"
        fps = 2
        [sync]
        broker = "{broker}"
        [page]
        enabled = false
        """,
        encoding="utf-8",
    )
    return path


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_broker_away_for_a_minute_and_agent_killed_in_the_middle(tmp_path: Path, make_mosquitto, start):
    """The broker is gone for a minute, the agent is killed in it with ``kill -9``: both sides hold the same records."""
    broker = make_mosquitto()
    box, cloud = tmp_path / "data" / "hedgerow.db", tmp_path / "cloud.db"
    start("ingest", "--broker", broker.url, "--database", f"sqlite:///{cloud}", name="ingest")
    arguments = ("run", "--config", configuration(tmp_path, broker.url))
    agent = start(*arguments, name="agent-1")
    eventually(lambda: cloud.exists() and len(rollups_in_the_cloud(cloud)) >= 5, 60, agent.said)

    broker.kill()
    went = time.monotonic()
    time.sleep(OUTAGE_S / 2)
    arrived = len(rollups_in_the_cloud(cloud))
    agent.kill()
    agent = start(*arguments, name="agent-2")
    agent.wait_for_word("camera=north .*state=live")
    time.sleep(max(0, went + OUTAGE_S - time.monotonic()))
    assert len(rollups_in_the_cloud(cloud)) == arrived, "nothing can arrive without a broker"
    assert len(rollups_on_the_box(box)) > arrived + 50, "the box works without a link"

    broker.start()
    time.sleep(5)
    assert agent.end() == 0  # the last windows are committed and sent at the end, or at the next start
    agent = start(*arguments, name="agent-3")
    eventually(lambda: not missing(box, cloud), 60, lambda: f"{len(missing(box, cloud))} are missing\n{agent.said()}")
    agent.end()
    eventually(lambda: not missing(box, cloud), 10)

    assert rollups_on_the_box(box) == rollups_in_the_cloud(cloud)
    assert events_on_the_box(box) == events_in_the_cloud(cloud)
    assert len({row[3] for row in rollups_in_the_cloud(cloud) if row[0] == "north"}) > OUTAGE_S / 2


def missing(box: Path, cloud: Path) -> set[tuple]:
    events = set(events_on_the_box(box)) - set(events_in_the_cloud(cloud))
    return (rollups_on_the_box(box) - rollups_in_the_cloud(cloud)) | events


def test_data_directory_moved_away_under_the_agent(tmp_path: Path, start):
    """The agent stores what it has where its data went, ends with one line, and its next start begins anew."""
    arguments = ("run", "--config", configuration(tmp_path, "mqtt://127.0.0.1:1"))
    agent = start(*arguments, name="agent-1")
    data, moved = tmp_path / "data", tmp_path / "moved"
    database = data / "hedgerow.db"
    eventually(lambda: database.exists() and len(rollups_on_the_box(database)) > 3, 30, agent.said)
    data.rename(moved)
    assert agent.process.wait(10) == 1
    assert "Traceback" not in agent.said()
    assert "hedgerow.db was deleted or replaced" in agent.said().splitlines()[-1]
    assert "agent-stopped" in {row[0] for row in events_on_the_box(moved / "hedgerow.db")}
    agent = start(*arguments, name="agent-2")
    agent.wait_for_word("camera=north .*state=live")
    assert agent.end() == 0
