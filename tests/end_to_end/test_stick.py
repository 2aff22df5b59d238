"""A box without a link: its data goes by stick, and the cloud tells what each camera did, and what is to come."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.capture.conftest import rtsp
from tests.end_to_end.programs import (
    events_in_the_cloud,
    events_on_the_box,
    hedgerow,
    rollups_in_the_cloud,
    rollups_on_the_box,
    rows,
)
from tests.waiting import eventually

__all__ = ["rtsp"]


def configuration(folder: Path, source: str, *, cloud_key: str = "") -> Path:
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
        source = "{source}"
        fps = 2
        stall_timeout_s = 1.0
        sight = {{ check = false }}  # the test's pictures are plain areas: nothing to see in them
        [sync]
        broker = "mqtt://127.0.0.1:1"
        [page]
        enabled = false
        [bundle]
        {f'cloud_key = "{cloud_key}"' if cloud_key else ""}
        """,
        encoding="utf-8",
    )
    return path


def now() -> str:
    return datetime.now(UTC).isoformat()


def told(*arguments: str | Path) -> list | dict:
    """Run a command that prints JSON and must succeed."""
    result = hedgerow(*arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_history_of_a_box_by_stick(tmp_path: Path, start, rtsp):
    """A camera taken away, the box off for a while and rows held back are told apart; in the end nothing is missing."""
    rtsp.start()
    box, cloud = tmp_path / "data" / "hedgerow.db", tmp_path / "cloud.db"
    url = f"sqlite:///{cloud}"
    sticks = [tmp_path / name for name in ("early", "late", "all")]
    for stick in sticks:
        stick.mkdir()
    cloud_key = hedgerow("bundle", "key", tmp_path / "cloud.key").stdout.strip()
    config = configuration(tmp_path, rtsp.url("video.mp4"), cloud_key=cloud_key)

    agent = start("run", "--config", config, name="agent-1")
    agent.wait_for_word("camera=south .*state=live")
    began = now()
    time.sleep(2)
    early = told("bundle", "export", "--config", config, sticks[0])
    rtsp.kill()
    agent.wait_for_word("camera=south .*state=refused")
    time.sleep(3)
    assert agent.end() == 0
    held_back = int(rows(box, "SELECT max(seq) FROM outbox")[0][0])
    time.sleep(3)
    agent = start("run", "--config", config, name="agent-2")
    agent.wait_for_word("camera=north .*state=live")
    time.sleep(2)
    asked = ("gaps", "--database", url, "--since", began, "--until", now())
    assert agent.end() == 0

    told("bundle", "export", "--config", config, "--after", str(held_back), sticks[1])
    result = hedgerow("bundle", "import", "--database", url, sticks[0])
    assert result.returncode == 1
    assert "whose key is not known here" in result.stderr
    told("bundle", "import", "--database", url, "--trust-first-use", sticks[0])
    told("bundle", "import", "--database", url, sticks[1])
    gaps = told(*asked)
    assert gaps["streams"][0]["missing"] == [[early["through"] + 1, held_back]]
    missing_s = of_camera(gaps, "north")["missing"]
    assert missing_s > 3

    told("bundle", "export", "--config", config, sticks[2])
    imported = told("bundle", "import", "--database", url, "--answer-with", tmp_path / "cloud.key", sticks[2])
    assert sum(part["new"] for part in imported["parts"]) == held_back - early["through"]
    gaps = told(*asked)
    assert gaps["streams"][0]["missing"] == []
    north, south = of_camera(gaps, "north"), of_camera(gaps, "south")
    assert (north["missing"], south["missing"]) == (0, 0)
    assert 1 < south["observed"] < north["observed"] - 2
    assert south["blind"] > north["blind"] + 2
    assert "refused" in because(gaps, "south")
    assert 2 < north["off"] < north["observed"] + north["blind"]
    assert "observed" in hedgerow(*asked).stdout
    assert rollups_on_the_box(box) == rollups_in_the_cloud(cloud)
    assert events_on_the_box(box) == events_in_the_cloud(cloud)

    told("bundle", "acks", "--config", config, sticks[2])
    eventually(lambda: rows(box, "SELECT count(*) FROM outbox") == [(0,)], 5)


def of_camera(gaps: dict, camera: str) -> dict[str, float]:
    """Sum up the hours of one camera."""
    names = ("observed", "blind", "off", "shed", "missing")
    return {name: sum(hour[f"{name}_s"] for hour in gaps["cameras"][camera]) for name in names}


def because(gaps: dict, camera: str) -> set[str]:
    return {state for hour in gaps["cameras"][camera] for state in hour["because"]}
