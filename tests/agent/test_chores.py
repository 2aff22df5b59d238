"""What the box does now and then, on a real database with the writer's thread."""

import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from agent.chores import CANOPY_MEASURES, Chores
from agent.clock import ManualClock
from agent.config import BoxConfig, CameraConfig, Config, FarmConfig, PlacesConfig, StorageConfig
from agent.places import Places
from agent.store import Recorder, Writer, open_store, record_rollups
from agent.store.schema import event as event_table
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, MeasureRollup, Rollup
from cloud_sync.outbox import append_evidence, read_depth

DAY_S = 86_400
TODAY = 20_000
MAP = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": "hill-farm", "kind": "site"},
            "geometry": {"type": "Polygon", "coordinates": [[[24, 57], [25, 57], [25, 58], [24, 58], [24, 57]]]},
        }
    ],
}


class Box:
    """A store with its writer, a recorder and the chores, at noon of TODAY."""

    def __init__(self, folder: Path) -> None:
        (folder / "map.geojson").write_text(json.dumps(MAP), encoding="utf-8")
        self.clock = ManualClock(utc_ns=(TODAY * DAY_S + DAY_S // 2) * 10**9)
        self.config = Config(
            box=BoxConfig(site="farm", device="box"),
            storage=StorageConfig(data_dir=folder, retention_days=100),
            cameras=(CameraConfig(name="cam", source="sim:orchard", farm=FarmConfig(canopy=True)),),
            places=PlacesConfig(geojson=folder / "map.geojson"),
        )
        self.store = open_store(folder, self.clock.now())
        self.writer = Writer(self.store.write)
        self.recorder = Recorder(self.writer, send=True)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.writer.run, args=(self.stop, lambda: None))
        self.thread.start()

    def chores(self, *, confirmed: bool = True) -> Chores:
        places = Places.load(self.config.places)
        return Chores(
            self.config,
            self.store,
            writer=self.writer,
            recorder=self.recorder,
            places=places,
            clock=self.clock,
            is_confirmed=lambda: confirmed,
        )

    def put(self, *parts: Rollup | MeasureRollup) -> None:
        now = self.clock.now()
        self.writer.submit(lambda connection: record_rollups(connection, parts, now=now, send=False)).result(10)

    def events(self) -> list[dict]:
        self.recorder.finish(self.clock.now())
        query = select(event_table.c.data).where(event_table.c.kind == "look-here")
        with self.store.read.connect() as connection:
            return [json.loads(data) for data in connection.execute(query).scalars()]

    def close(self) -> None:
        self.stop.set()
        self.thread.join(5)
        self.store.close()


@pytest.fixture
def box(tmp_path):
    opened = Box(tmp_path)
    yield opened
    opened.close()


def day(number: int, value: float) -> list[MeasureRollup]:
    """A day with a hundred readings of each canopy measure, all of one value."""
    return [
        MeasureRollup("cam", ANY, ANY, name, (TODAY + number) * DAY_S + 36_000, 60, 1, 100, 100 * value, value, value)
        for name in CANOPY_MEASURES
    ]


def window(start_s: int) -> Rollup:
    return Rollup("cam", ANY, ANY, start_s, 60, 1, 0, 60_000, 300, 4, 300, 5, 240.0)


def test_outbox_is_kept_within_its_limits(box: Box):
    """The limits of the configuration hold: what waits beyond them is given up, told, and its space given back."""
    now = box.clock.now()
    fields = {"kind": "k", "camera": "cam", "at_ms": 1, "width": 1, "height": 1, "data": {}}

    def pictures(connection: Connection) -> None:
        for _ in range(1200):
            append_evidence(connection, fields, b"x" * 6000, boot=1, created_utc_ns=now.utc_ns)

    box.writer.submit(pictures).result(60)
    box.chores().bound_outbox()
    with box.store.read.connect() as connection:
        assert read_depth(connection).entries == 1200
    box.config = box.config.model_copy(
        update={"storage": StorageConfig(data_dir=box.config.storage.data_dir, outbox_max_entries=1000)}
    )
    box.chores().bound_outbox()
    with box.store.read.connect() as connection:
        waiting = {each.channel: each.entries for each in read_depth(connection).channels}
        assert waiting == {"evidence": 700, "shed": 1}
    box.config = box.config.model_copy(
        update={"storage": StorageConfig(data_dir=box.config.storage.data_dir, outbox_max_mb=8)}
    )
    box.writer.submit(pictures).result(60)
    before = pages(box)
    box.chores().bound_outbox()
    with box.store.read.connect() as connection:
        assert read_depth(connection).size_bytes <= 8_000_000
    assert pages(box)[1] <= 1024 < before[0] - pages(box)[0]


def pages(box: Box) -> tuple[int, int]:
    """How many pages the database has, and how many of those are free."""
    with box.store.read.connect() as connection:
        return tuple(connection.exec_driver_sql(f"PRAGMA {name}_count").scalar_one() for name in ("page", "freelist"))


def test_sudden_loss_of_green_is_said_once(box: Box):
    """Days far below the camera's own history raise one "look here", and a restart does not raise it again."""
    box.put(*(part for number in range(-12, -2) for part in day(number, 0.5 + 0.01 * (number % 2))))
    box.chores().compare_days()
    assert box.events() == []
    box.put(*day(-2, 0.2), *day(-1, 0.2))
    chores = box.chores()
    chores.compare_days()
    chores.compare_days()
    assert [event["measure"] in CANOPY_MEASURES for event in box.events()] == [True]
    box.chores().compare_days()
    assert len(box.events()) == 1


def test_old_rows_retire(box: Box):
    """What is older than the configuration says is gone, the rest stays."""
    old, young = window((TODAY - 101) * DAY_S), window((TODAY - 99) * DAY_S)
    box.put(old, young, window(TODAY * DAY_S))
    box.chores().retire()
    assert kept(box) == [young.window_start_s, TODAY * DAY_S]


def kept(box: Box) -> list[int]:
    with box.store.read.connect() as connection:
        return list(connection.execute(select(rollup_table.c.window_start_s)).scalars())


def test_clock_set_forward_deletes_nothing_for_a_day(box: Box):
    """A clock that leaps ten years ahead does not cost the history; a day later it is believed."""
    box.put(window(TODAY * DAY_S))
    chores = box.chores()
    box.clock.step_utc(3650 * DAY_S)
    chores.distrust_clock()
    box.clock.advance(DAY_S - 60)
    chores.retire()
    assert kept(box) == [TODAY * DAY_S]
    box.clock.advance(120)
    chores.retire()
    assert kept(box) == []


def test_clock_far_beyond_what_is_stored_deletes_nothing_at_first(box: Box):
    """A box that starts with a clock years ahead keeps its history for a day, in which the clock may be put right."""
    box.put(window(TODAY * DAY_S))
    box.clock.step_utc(3650 * DAY_S)
    chores = box.chores()
    chores.retire()
    assert kept(box) == [TODAY * DAY_S]
    box.clock.step_utc(-3650 * DAY_S)
    box.clock.advance(2 * DAY_S)
    chores.retire()
    assert kept(box) == [TODAY * DAY_S]


def test_leap_of_years_that_nobody_vouches_for_does_not_purge_the_season(box: Box):
    """A clock that is ten years ahead, restarted and left so for days, deletes nothing: it has hardly any days behind
    it. Once it has lived through a month, or the kernel vouches for it, what is old goes."""
    season = [window((TODAY - number) * DAY_S) for number in range(90)]
    box.put(*season)
    box.clock.step_utc(3650 * DAY_S)
    for _ in range(29):
        box.put(window(box.clock.now().utc_ns // 10**9 // 60 * 60))
        chores = box.chores(confirmed=False)  # started anew each day
        box.clock.advance(DAY_S + 60)
        chores.retire()
    assert len(kept(box)) == 90 + 29
    box.put(window(box.clock.now().utc_ns // 10**9 // 60 * 60))
    box.chores(confirmed=False).retire()
    assert len(kept(box)) == 30


def test_places_are_named_when_the_map_knows_them(box: Box):
    """A window with a position and no place gets the place of the map; one without a position is left alone."""
    start_s = TODAY * DAY_S
    position = [
        MeasureRollup("cam", ANY, ANY, name, start_s, 60, 1, 2, 2 * value, value, value)
        for name, value in (("latitude_deg", 57.5), ("longitude_deg", 24.5), ("position_error_m", 1.0))
    ]
    box.put(window(start_s), window(start_s + 60), *position)
    box.chores().name_places()
    with box.store.read.connect() as connection:
        query = select(rollup_table.c.place).order_by(rollup_table.c.window_start_s)
        assert connection.execute(query).scalars().all() == ["hill-farm", ""]
