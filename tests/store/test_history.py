"""Looking back: days of a measure, the last word on something, windows whose place became known."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from agent.places import Assignment, Unplaced
from agent.store import (
    assign_places,
    daily_sums,
    last_event,
    open_store,
    record_event,
    record_rollups,
    windows_without_place,
)
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, Event, Instant, MeasureRollup, Rollup
from cloud_sync.outbox.schema import outbox

DAY_S = int(timedelta(days=1).total_seconds())
MIDNIGHT = 20_000 * DAY_S
NOW = Instant(utc_ns=(MIDNIGHT + 3600) * 10**9, monotonic_ns=5, boot=1)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path, NOW) as opened:
        yield opened


def reading(name: str, start_s: int, total: float, count: int = 10, camera: str = "cam") -> MeasureRollup:
    return MeasureRollup(camera, ANY, ANY, name, start_s, 60, 1, count, total, 0.0, 1.0)


def window(start_s: int, class_name: str = ANY, place: str = "") -> Rollup:
    return Rollup("cam", ANY, class_name, start_s, 60, 1, 0, 60_000, 300, 4, 300, 5, 240.0, place)


def test_days_add_up(store):
    """Windows of a day are one sum, by camera and measure; what is not asked for is left out."""
    parts = [
        reading("exg", MIDNIGHT - DAY_S, 2.0),
        reading("exg", MIDNIGHT - 60, 4.0),
        reading("exg", MIDNIGHT, 99.0),
        reading("gli", MIDNIGHT - 60, 1.0),
        reading("exg", MIDNIGHT - 60, 7.0, camera="other"),
        reading("dwell_s", MIDNIGHT - 60, 7.0),
    ]
    with store.write.begin() as connection:
        record_rollups(connection, parts, now=NOW, send=False)
        found = daily_sums(connection, ("exg", "gli"), since_s=MIDNIGHT - 5 * DAY_S, until_s=MIDNIGHT)
    assert found == {
        "cam": {"exg": [(19_999, 6.0, 20)], "gli": [(19_999, 1.0, 10)]},
        "other": {"exg": [(19_999, 7.0, 10)]},
    }


def test_last_event_of_a_kind(store):
    """The newest event of a kind from a camera is found, so that a restart does not say the same again."""
    with store.write.begin() as connection:
        for number in (1, 2):
            record_event(connection, Event("look-here", "cam", NOW, {"n": number}), send=False)
        record_event(connection, Event("look-here", "other", NOW, {"n": 3}), send=False)
        assert json.loads(last_event(connection, "look-here", "cam")) == {"n": 2}
        assert last_event(connection, "loitering", "cam") is None


def test_hour_is_placed_only_where_the_camera_stayed(store):
    """The mean position of merged minutes is as exact as the camera stayed where it was: a tractor was nowhere."""
    for camera, spread_deg in (("still", 0.00001), ("tractor", 0.01)):
        position = [
            MeasureRollup(camera, ANY, ANY, name, MIDNIGHT, 3600, 1, 2, 2 * mean, mean - spread_deg, mean + spread_deg)
            for name, mean in (("latitude_deg", 57.0), ("longitude_deg", 24.0), ("position_error_m", 1.0))
        ]
        with store.write.begin() as connection:
            hour = replace(window(MIDNIGHT), camera=camera, window_s=3600)
            record_rollups(connection, [hour, *position], now=NOW, send=False)
    with store.read.connect() as connection:
        accuracy = {each.camera: each.accuracy_m for each in windows_without_place(connection, limit=9)}
    assert accuracy == {"still": pytest.approx(2.2, abs=0.1), "tractor": pytest.approx(2226, abs=1)}


def test_window_gets_its_place_later(store):
    """A window whose position matched no place gets one when the map knows it: all its rows, here and in the cloud."""
    position = [reading("latitude_deg", MIDNIGHT, 570.0), reading("longitude_deg", MIDNIGHT, 240.0)]
    elsewhere = window(MIDNIGHT - 60, place="row-1")
    with store.write.begin() as connection:
        record_rollups(
            connection, [window(MIDNIGHT), window(MIDNIGHT, "apple"), elsewhere, *position], now=NOW, send=True
        )
        assert windows_without_place(connection, limit=10) == [Unplaced("cam", MIDNIGHT, 60, 57.0, 24.0, None)]
        named = [Assignment("cam", MIDNIGHT, 60, "row-7"), Assignment("cam", MIDNIGHT - 60, 60, "row-7")]
        assert assign_places(connection, named, now=NOW, send=True) == 2
        c = rollup_table.c
        rows = connection.execute(
            select(c.class_name, c.place, c.revision).order_by(c.window_start_s, c.class_name)
        ).all()
        assert [tuple(row) for row in rows] == [(ANY, "row-1", 1), (ANY, "row-7", 2), ("apple", "row-7", 2)]
        sent = json.loads(connection.execute(select(outbox.c.body).order_by(outbox.c.seq.desc())).scalars().first())
        assert [(row[2], row[5], row[-1]) for row in sent["rollups"]] == [(ANY, 2, "row-7"), ("apple", 2, "row-7")]
        assert windows_without_place(connection, limit=10) == []
