"""Zones, lines, farm measures and places, from the configuration to the cloud's database."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.programs import rollups_in_the_cloud, rollups_on_the_box, rows
from tests.waiting import eventually

KEY = "camera, zone, class_name, name, {start}, {length}, revision, readings"

MAP = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": "hill/block-a", "kind": "block"},
            "geometry": {"type": "Polygon", "coordinates": [[[24.0, 57.0], [24.1, 57.0], [24.1, 57.1], [24.0, 57.0]]]},
        },
    ],
}


def configuration(folder: Path, broker: str) -> Path:
    (folder / "map.geojson").write_text(json.dumps(MAP), encoding="utf-8")
    path = folder / "hedgerow.toml"
    path.write_text(
        f"""
        [box]
        site = "farm"
        device = "box-1"
        [storage]
        data_dir = "{folder}/data"
        rollup_s = 2
        [places]
        geojson = "map.geojson"
        [[cameras]]
        name = "row"
        source = "sim:orchard?seed=1&speed=150"
        place = "hill/block-a"
        [[cameras.zones]]
        name = "middle"
        polygon = [[0.2, 0.0], [0.8, 0.0], [0.8, 1.0], [0.2, 1.0]]
        loiter_s = 2.0
        [[cameras.lines]]
        name = "post"
        points = [[0.5, 0.0], [0.5, 1.0]]
        [cameras.row]
        per = "metre"
        metres_per_pixel = 0.002
        [cameras.farm]
        canopy = true
        canopy_every_s = 1
        fruit_size = true
        [sync]
        broker = "{broker}"
        [page]
        enabled = false
        """,
        encoding="utf-8",
    )
    return path


def measures(database: Path, *, start: str, length: str) -> dict[tuple, float]:
    """All measures by key; the value is their total."""
    found = rows(database, f"SELECT {KEY.format(start=start, length=length)}, total FROM measure")
    return {row[:-1]: row[-1] for row in found}


def test_what_is_configured_reaches_the_cloud(tmp_path: Path, mosquitto, start):
    """Zone rows, crossings, sizes, canopy, alarms and places are the same in the box's database and in the cloud's."""
    box, cloud = tmp_path / "data" / "hedgerow.db", tmp_path / "cloud.db"
    start("ingest", "--broker", mosquitto.url, "--database", f"sqlite:///{cloud}", name="ingest")
    agent = start("run", "--config", configuration(tmp_path, mosquitto.url), name="agent")

    def names() -> set[str]:
        return {row[3] for row in measures(box, start="window_start_s", length="window_s")} if box.exists() else set()

    wanted = {"canopy_cover", "exg", "size_px", "dwell_s", "row_fruit"}
    eventually(lambda: wanted <= names() and {"crossed_in", "crossed_out"} & names(), 90, lambda: f"{names()}")
    eventually(lambda: rows(box, "SELECT 1 FROM event WHERE kind = 'loitering'"), 30)
    assert agent.end() == 0
    assert "thread_died" not in agent.said()

    on_box = measures(box, start="window_start_s", length="window_s")
    eventually(lambda: on_box.keys() == measures(cloud, start="start", length="length").keys(), 20)
    assert measures(cloud, start="start", length="length") == pytest.approx(on_box, abs=1e-6)
    eventually(lambda: rollups_on_the_box(box) == rollups_in_the_cloud(cloud), 10)
    assert {row[1] for row in rollups_in_the_cloud(cloud)} == {"*", "middle"}
    places = rows(cloud, "SELECT DISTINCT place FROM rollup WHERE frames > 1")
    assert places == [("hill/block-a",)]
    alarms = rows(cloud, "SELECT data FROM event WHERE kind = 'loitering' AND channel = 'alarm'")
    assert alarms
    assert {json.loads(data)["zone"] for (data,) in alarms} == {"middle"}
    counted = [json.loads(data) for (data,) in rows(cloud, "SELECT data FROM event WHERE kind = 'row-count'")]
    assert {"*", "apple"} <= {piece["class"] for piece in counted}
    assert all(piece["low"] <= piece["count"] <= piece["high"] for piece in counted)


def totals(database: Path) -> dict[tuple, tuple]:
    """Every row of both tables by key, without the revision; the value is all that it says."""
    columns = "window_start_s, camera, zone, class_name"
    counts = rows(database, f"SELECT {columns}, '', unique_tracks, presence, frames, observed_ms FROM rollup")
    readings = rows(database, f"SELECT {columns}, name, readings, total FROM measure")
    return {row[:5]: row[5:] for row in [*counts, *readings]}


def test_counts_survive_kill_and_another_configuration(tmp_path: Path, start):
    """After ``kill -9`` and a start with other zones and lines, each count that was committed is there as it was, no
    window holds more time than it is long, and counting goes on under the old names and the new.
    """
    box, path = tmp_path / "data" / "hedgerow.db", configuration(tmp_path, "mqtt://127.0.0.1:1")
    agent = start("run", "--config", path, name="agent-1")

    def crossed(line: str) -> float:
        query = f"SELECT coalesce(sum(total), 0) FROM measure WHERE zone = '{line}' AND class_name = '*'"
        return rows(box, query)[0][0] if box.exists() and rows(box, query) else 0.0

    eventually(lambda: crossed("post") >= 5, 60, agent.said)
    agent.kill()
    before, counted = totals(box), crossed("post")

    text = path.read_text(encoding="utf-8")
    more = '[[cameras.lines]]\n        name = "other"\n        points = [[0.6, 0.0], [0.6, 1.0]]\n        [cameras.row]'
    path.write_text(text.replace("[cameras.row]", more, 1).replace("[0.2, 0.0], [0.8", "[0.1, 0.0], [0.8"))
    agent = start("run", "--config", path, name="agent-2")
    eventually(lambda: crossed("other") >= 3 and crossed("post") > counted, 60, agent.said)
    assert agent.end() == 0

    after = totals(box)
    assert {key: after.get(key) for key in before if key[0] < max(before)[0]} == {
        key: value for key, value in before.items() if key[0] < max(before)[0]
    }
    newest = {key: value for key, value in before.items() if key[0] == max(before)[0]}
    assert all(now >= then for key, value in newest.items() for now, then in zip(after[key], value, strict=True))
    observed = [value[3] for key, value in after.items() if key[2:5] == ("*", "*", "")]
    assert max(observed) <= 2000
    later = sum(value[1] for key, value in after.items() if key[2] == "post" and key[3] == "*" and key not in before)
    assert crossed("post") >= counted + later > counted


def test_open_window_survives_kill(tmp_path: Path, start):
    """What a box has counted in a window that is still open is stored after ``kill -9`` and a start, once: all that was
    noted up to ten seconds before, and the same after one more start.
    """
    box, note = tmp_path / "data" / "hedgerow.db", tmp_path / "data" / "open-windows.json"
    path = configuration(tmp_path, "mqtt://127.0.0.1:1")
    path.write_text(path.read_text(encoding="utf-8").replace("rollup_s = 2", "rollup_s = 1800"), encoding="utf-8")

    def noted() -> dict[tuple, tuple]:
        content = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {"rollups": [], "measures": []}
        key = ("window_start_s", "camera", "zone", "class_name")
        counts = {(*(row[k] for k in key), ""): (row["unique"], row["presence"]) for row in content["rollups"]}
        readings = {(*(m[k] for k in key), m["name"]): (m["count"], m["total"]) for m in content["measures"]}
        return {**counts, **readings}

    agent = start("run", "--config", path, name="agent-1")
    eventually(lambda: {"crossed_in", "crossed_out"} & {key[4] for key in noted()}, 60, agent.said)
    agent.kill()
    before = noted()
    path.write_text(path.read_text(encoding="utf-8").replace("sim:orchard?seed=1&speed=150", "rtsp://127.0.0.1:1/x"))
    for run in ("agent-2", "agent-3"):
        agent = start("run", "--config", path, name=run)
        agent.wait_for_word("agent_ready")
        eventually(lambda: totals(box), 10, agent.said)
        assert agent.end() == 0
        after = totals(box)
        assert {key: after[key][:2] for key in before} == before
