"""Zones, lines, farm measures and places, from the configuration to the cloud's database."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.programs import eventually, rollups_in_the_cloud, rollups_on_the_box, rows

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
