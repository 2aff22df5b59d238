"""What goes first when the outbox passes a limit, and that nothing goes unsaid: a real database, the real writer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from agent.places import Assignment
from agent.store import Limits, assign_places, delete_older
from agent.store.schema import measure as measure_table
from agent.store.schema import merged
from agent.store.schema import rollup as rollup_table
from agent.store.shedding import merge_oldest
from agent.types import ANY, MeasureRollup, Rollup
from cloud_sync.outbox.schema import outbox
from cloud_sync.wire import MeasureRow, RollupRow, WindowRow
from tests.store.cloud_model import CloudModel
from tests.store.offline_box import OfflineBox

HOUR_S, DAY_S = 3600, 86_400
DAY = 20_000 * DAY_S
"""A midnight; it is noon of the day after."""
NOTHING = Limits(entries=0, size_bytes=10**12, disk_free_bytes=0)
"""Everything is too much."""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[OfflineBox]:
    opened = OfflineBox(tmp_path, DAY + 36 * HOUR_S)
    yield opened
    opened.close()


def whole(start_s: int, camera: str = "north", frames: int = 300) -> Rollup:
    return Rollup(camera, ANY, ANY, start_s, 60, 1, (start_s - DAY) * 10**9, 60_000, frames, 0, 0, 0, 0.0)


def apples(start_s: int, unique: int, presence: int, score_sum: float) -> Rollup:
    of = whole(start_s)
    return replace(of, class_name="apple", unique=unique, presence=presence, occupancy_max=unique, score_sum=score_sum)


def greens(start_s: int, value: float, count: int = 2) -> MeasureRollup:
    return MeasureRollup("north", ANY, ANY, "exg", start_s, 60, 1, count, value * count, value, value)


def told(box: OfflineBox) -> CloudModel:
    """A cloud that has got all that waits."""
    cloud = CloudModel()
    cloud.take(box.waiting())
    return cloud


def test_merged_hour_is_what_one_long_window_would_have_been(box: OfflineBox) -> None:
    """Sums add up, means are weighted by all frames of the hour, peaks and extremes stay, minutes are superseded."""
    for minute in range(60):
        parts = [whole(DAY + 60 * minute), greens(DAY + 60 * minute, minute / 100)]
        if minute in (7, 31):
            parts.append(apples(DAY + 60 * minute, minute, 600, 450.0))
        box.put(parts)
    box.bound(NOTHING)
    assert box.shed() == 61  # sixty minutes, and then the hour, which becomes a day
    cloud = told(box)
    assert cloud.merged == {WindowRow("north", DAY, DAY_S)}
    common = {"camera": "north", "zone": ANY, "start": DAY, "length": DAY_S, "revision": 1}
    picture, apple = sorted(cloud.rollups())
    assert picture == RollupRow(
        **common,
        class_name=ANY,
        observed_ms=3_600_000,
        frames=18_000,
        unique_tracks=0,
        occupancy_mean=0.0,
        occupancy_max=0,
        confidence_mean=None,
    )
    assert apple == RollupRow(
        **common,
        class_name="apple",
        observed_ms=3_600_000,
        frames=18_000,
        unique_tracks=38,
        occupancy_mean=round(1200 / 18_000, 3),
        occupancy_max=31,
        confidence_mean=0.75,
    )
    (exg,) = cloud.measures()
    total = pytest.approx(sum(2 * minute / 100 for minute in range(60)))
    assert exg == MeasureRow(**common, class_name=ANY, name="exg", readings=120, total=total, least=0.0, most=0.59)
    assert cloud.named == dict.fromkeys(range(1, 63), 1)  # minutes, the hour, and its record, which became the day's


def test_hour_holds_what_was_sent_before(box: OfflineBox) -> None:
    """Minutes that the cloud has already are in the hour, which supersedes them; nothing counts twice."""
    for minute in range(60):
        box.put([whole(DAY + 60 * minute), apples(DAY + 60 * minute, 1, 300, 240.0)])
    cloud = CloudModel()
    cloud.take(box.waiting()[:25])
    box.outbox.settle(through=25).result(5)
    box.bound(Limits(entries=3, size_bytes=10**12, disk_free_bytes=0))
    box.shed()
    cloud.take(box.waiting())
    assert {(row.class_name, row.start, row.length, row.unique_tracks, row.frames) for row in cloud.rollups()} == {
        (ANY, DAY, HOUR_S, 0, 18_000),
        ("apple", DAY, HOUR_S, 60, 18_000),
    }
    assert set(cloud.named) == set(range(26, 61))


def test_late_part_raises_the_hour(box: OfflineBox) -> None:
    """A part that comes after the merge adds up in the hour, in all its rows; no minute goes out any more."""
    box.put([whole(DAY), apples(DAY, 2, 300, 240.0), whole(DAY + 60)])
    merge_hours(box)
    cloud = told(box)
    box.put([whole(DAY + 60, frames=100), apples(DAY + 120, 3, 50, 25.0), whole(DAY + 120), greens(DAY + 120, 0.5)])
    cloud.take(box.waiting())
    rows = {row.class_name: row for row in cloud.rollups()}
    assert {row.length for row in rows.values()} == {HOUR_S}
    assert (rows[ANY].revision, rows[ANY].frames, rows[ANY].observed_ms) == (2, 1000, 240_000)
    assert (rows["apple"].revision, rows["apple"].frames, rows["apple"].unique_tracks) == (2, 1000, 5)
    assert rows["apple"].occupancy_mean == 0.35
    assert [row.readings for row in cloud.measures()] == [2]
    assert all(row.window_s == HOUR_S for row in stored(box, rollup_table))


def merge_hours(box: OfflineBox) -> None:
    """Merge minutes into hours, and hours into nothing longer."""
    now = box.clock.now()
    while box.writer.submit(lambda connection: merge_oldest(connection, HOUR_S, now=now, reason="rows")).result(5):
        pass
    assert {row.length for row in told(box).rollups()} == {HOUR_S}


def stored(box: OfflineBox, table) -> list:
    with box.store.read.connect() as connection:
        return list(connection.execute(select(table)).all())


def test_place_that_is_found_later_raises_the_hour(box: OfflineBox) -> None:
    """An hour gets a place as a minute does, and the cloud hears of it; it has the place of most of its time."""
    for number, place in enumerate(("", "a", "b", "b")):
        box.put([replace(whole(DAY + 60 * number), place=place)])
    for number in range(4):
        box.put([whole(DAY + HOUR_S + 60 * number)])
    merge_hours(box)
    now = box.clock.now()
    found = [Assignment("north", DAY + HOUR_S, HOUR_S, "hill")]
    box.writer.submit(lambda connection: assign_places(connection, found, now=now, send=True)).result(5)
    places = {row.start: (row.place, row.revision) for row in told(box).rollups()}
    assert places == {DAY: ("b", 1), DAY + HOUR_S: ("hill", 2)}


def test_order_of_what_goes(box: OfflineBox) -> None:
    """Evidence goes before minutes, minutes before hours, hours before events; alarms and records stay."""
    for number in range(20):
        box.evidence(b"jpeg")
        box.event("seen")
        box.event("thief", alarm=True)
        box.put([whole(DAY + 60 * number + HOUR_S * (number // 5))])
    seen = []
    for entries in (70, 55, 48, 42, 0):
        box.bound(Limits(entries=entries, size_bytes=10**12, disk_free_bytes=0))
        box.shed()
        cloud = told(box)
        lengths = {row.length for row in cloud.rollups()}
        seen.append((cloud.channels["evidence"], lengths, cloud.channels["event"], cloud.channels["alarm"]))
    assert seen == [
        (0, {60}, 20, 20),
        (0, {HOUR_S}, 20, 20),
        (0, {DAY_S}, 20, 20),
        (0, {DAY_S}, 0, 20),
        (0, {DAY_S}, 0, 20),
    ]
    assert {(record.channel, record.became) for record in told(box).records} == {
        ("evidence", "nothing"),
        ("rollup", "days"),
        ("event", "nothing"),
    }


def test_running_hour_is_left_alone(box: OfflineBox) -> None:
    """Minutes of this hour and the last, and hours of this day, stay; those of a future that a wrong clock saw go."""
    for hours in (33, 34, 35, 36, 24 * 365):
        box.put([whole(DAY + hours * HOUR_S)])
    box.bound(NOTHING)
    box.shed()
    lengths = {(row.start, row.length) for row in told(box).rollups()}
    assert lengths == {
        (DAY + 33 * HOUR_S, HOUR_S),
        (DAY + 34 * HOUR_S, HOUR_S),
        (DAY + 35 * HOUR_S, 60),
        (DAY + 36 * HOUR_S, 60),
        (DAY + 365 * DAY_S, DAY_S),
    }


@pytest.mark.parametrize("reason", ["rows", "bytes", "disk"])
def test_each_limit_is_named(box: OfflineBox, reason: str) -> None:
    """A record says which limit was met; within the limits nothing is given up."""
    box.evidence(b"x" * 10_000)
    within = Limits(entries=1, size_bytes=14_000, disk_free_bytes=5_000, disk_spare_bytes=1000)
    passed = {"rows": {"entries": 0}, "bytes": {"size_bytes": 13_000}, "disk": {"disk_free_bytes": 10**13}}
    box.bound(within)
    assert box.shed() == 0
    box.bound(replace(within, **passed[reason]))
    assert box.shed() == 1
    assert [(record.reason, record.channel, record.entries) for record in told(box).records] == [
        (reason, "evidence", 1)
    ]


def test_disk_that_others_fill_costs_nothing(box: OfflineBox) -> None:
    """Where little waits, giving it up would not save the disk; where the disk does not say, it is not full."""
    box.evidence(b"x" * 10_000)
    box.disk_free = 0
    box.bound(Limits(entries=10, size_bytes=10**9, disk_free_bytes=10**9))
    assert box.shed() == 0
    box.disk_free = None
    box.bound(Limits(entries=10, size_bytes=10**9, disk_free_bytes=10**9, disk_spare_bytes=0))
    assert box.shed() == 0


def test_shedding_stops_below_the_limit(box: OfflineBox) -> None:
    """Once over the limit, it goes on to nine tenths of it, and does not begin again before the limit is passed."""
    for minute in range(0, 600, 4):
        box.put([whole(DAY + 60 * minute)])
    box.bound(Limits(entries=100, size_bytes=10**12, disk_free_bytes=0))
    assert box.shed() > 0
    assert box.depth().entries <= 90
    for minute in range(600, 610):
        box.put([whole(DAY + 60 * minute)])
    assert box.shed() == 0


def test_rollup_that_says_nothing_is_set_aside_and_the_rest_goes_on(box: OfflineBox) -> None:
    """A body that was damaged does not hold up the others, and is told."""
    for minute in range(3):
        box.put([whole(DAY + 60 * minute)])
    damage = update(outbox).where(outbox.c.seq == 2).values(body=b"{")
    box.writer.submit(lambda connection: connection.execute(damage)).result(5)
    box.bound(NOTHING)
    box.shed()
    cloud = told(box)
    assert box.depth().quarantined == 1
    assert {record.reason for record in cloud.records} == {"rejected", "rows"}
    assert [row.frames for row in cloud.rollups()] == [900]  # the history holds all three


def test_entry_whose_windows_are_not_in_the_history_stays(box: OfflineBox) -> None:
    """An hour cannot be made of what is not there: such entries wait as they are."""
    box.put([whole(DAY)])
    box.put([whole(DAY, camera="south")])
    gone = rollup_table.delete().where(rollup_table.c.camera == "south")
    box.writer.submit(lambda connection: connection.execute(gone)).result(5)
    box.bound(NOTHING)
    box.shed()
    assert {(row.camera, row.length) for row in told(box).rollups()} == {("north", DAY_S), ("south", 60)}


def test_retention_leaves_days_that_may_still_be_merged(box: OfflineBox) -> None:
    """A day of which an entry waits stays whole, however old; merged and delivered, it goes with its mark."""
    for minute in range(4):
        box.put([whole(DAY + 60 * minute)])
    box.outbox.settle(through=3).result(5)
    limit_ns = (DAY + 400 * DAY_S) * 10**9
    assert box.writer.submit(lambda connection: delete_older(connection, limit_ns)).result(5) == 0
    box.bound(NOTHING)
    box.shed()
    assert [row.frames for row in told(box).rollups()] == [1200]
    assert box.writer.submit(lambda connection: delete_older(connection, limit_ns)).result(5) == 0
    box.outbox.settle(through=100).result(5)
    assert box.writer.submit(lambda connection: delete_older(connection, limit_ns)).result(5) == 2
    assert stored(box, merged) == stored(box, rollup_table) == stored(box, measure_table) == []
