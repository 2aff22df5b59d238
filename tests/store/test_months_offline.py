"""Months without a link on a small disk, and kills in the middle of it: what is lost is known, the rest is true."""

import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from agent.store import DATABASE, Limits
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, MeasureRollup, Rollup
from cloud_sync.wire import Channel, RollupRow
from tests.conftest import ROOT
from tests.store.cloud_model import CloudModel
from tests.store.offline_box import OfflineBox

DAYS = 36
DAY_S, HOUR_S, WINDOW_S = 86_400, 3600, 900
START_S = 20_000 * DAY_S
FRAMES = 4500
ZONES = [(zone, name) for zone in (ANY, "yard", "gate", "road") for name in ("apple", "person")]
LIMITS = Limits(entries=450, size_bytes=350_000, disk_free_bytes=0)


@dataclass
class Truth:
    """What was observed, by camera, zone, class and hour."""

    unique: Counter[tuple] = field(default_factory=Counter)
    presence: Counter[tuple] = field(default_factory=Counter)
    peak: defaultdict[tuple, int] = field(default_factory=lambda: defaultdict(int))
    observed_ms: Counter[tuple] = field(default_factory=Counter)  # by camera and hour
    readings: Counter[tuple] = field(default_factory=Counter)  # by camera and hour

    def add(self, part: Rollup | MeasureRollup) -> None:
        hour = part.window_start_s // HOUR_S
        if isinstance(part, MeasureRollup):
            self.readings[part.camera, hour] += part.count
            return
        key = (part.camera, part.zone, part.class_name, hour)
        self.unique[key] += part.unique
        self.presence[key] += part.presence
        self.peak[key] = max(self.peak[key], part.occupancy_max)
        if part.zone == part.class_name == ANY:
            self.observed_ms[part.camera, hour] += part.observed_ms

    def check(self, row: RollupRow) -> None:
        """Hold one hour or day of the cloud against what was observed."""
        hours = range(row.start // HOUR_S, (row.start + row.length) // HOUR_S)
        keys = [(row.camera, row.zone, row.class_name, hour) for hour in hours]
        observed_ms = sum(self.observed_ms[row.camera, hour] for hour in hours)
        frames = observed_ms * 5 // 1000
        assert row.unique_tracks == sum(self.unique[key] for key in keys), row
        assert row.occupancy_max == max(self.peak[key] for key in keys), row
        assert (row.observed_ms, row.frames) == (observed_ms, frames), row
        assert row.occupancy_mean == round(sum(self.presence[key] for key in keys) / frames, 3), row


def window(chance: random.Random, start_s: int, share: float = 1.0) -> Iterator[Rollup | MeasureRollup]:
    """What two cameras see in a window, or in a share of it."""
    for camera in ("north", "south"):
        seen = [zone for zone in ZONES if chance.random() < 0.4]
        for zone, class_name in [(ANY, ANY), *seen]:
            unique = chance.randrange(1, 9) if class_name != ANY else 0
            yield Rollup(
                camera=camera,
                zone=zone,
                class_name=class_name,
                window_start_s=start_s,
                window_s=WINDOW_S,
                boot=1,
                monotonic_start_ns=0,
                observed_ms=round(WINDOW_S * 1000 * share),
                frames=round(FRAMES * share),
                unique=unique,
                presence=unique * 40,
                occupancy_max=unique,
                score_sum=unique * 30.0,
            )
        if seen:
            yield MeasureRollup(camera, ANY, ANY, "exg", start_s, WINDOW_S, 1, 3, 0.6, 0.1, 0.3)


class Season:
    """Days of a box: windows while it is light, some of them interrupted by a restart, events, alarms, pictures."""

    def __init__(self, box: OfflineBox) -> None:
        self.box = box
        self.truth = Truth()
        self.chance = random.Random(5)
        self.alarms = 0

    def put(self, start_s: int, share: float = 1.0) -> None:
        parts = list(window(self.chance, start_s - start_s % WINDOW_S, share))
        for part in parts:
            self.truth.add(part)
        self.box.put(parts)

    def day(self, number: int) -> None:
        clock = self.box.clock
        clock.advance(6 * HOUR_S)
        for step in range(56):
            now_s = clock.now().utc_ns // 10**9
            self.put(now_s)
            if step % 20 == 3:
                self.put(now_s, 0.2)
            if step % 6 == 0:
                self.box.event(f"seen-{number}-{step}")
                self.box.evidence(self.chance.randbytes(3000))
            clock.advance(WINDOW_S)
        self.box.event("thief", alarm=True)
        self.alarms += 1
        if number % 9 == 4:
            self.put(now_s - 3 * DAY_S)  # the clock was wrong for a while
        clock.advance(4 * HOUR_S)


def test_months_offline_end_with_bounded_disk_and_a_true_history(tmp_path: Path) -> None:
    """Weeks offline: the disk is bounded, no alarm is lost, each missing seq has one record, sums hold."""
    box = OfflineBox(tmp_path, START_S, LIMITS)
    season = Season(box)
    cloud, sizes = CloudModel(), []
    season.day(0)
    cloud.take(box.waiting()[:30])  # the link goes in the middle of an hour
    box.outbox.settle(through=30).result(5)
    for number in range(1, DAYS):
        season.day(number)
        box.shed()
        box.give_back()
        depth = box.depth()
        assert (depth.entries <= LIMITS.entries, depth.size_bytes <= LIMITS.size_bytes) == (True, True)
        sizes.append(box.store.size_bytes())
    assert sizes[-1] < 1.25 * sizes[DAYS // 2]
    last = box.outbox.last_seq()
    waiting = box.waiting()
    cloud.take(waiting)
    assert cloud.channels[Channel.ALARM] == season.alarms
    assert set(cloud.named) == set(range(1, last + 1)) - cloud.arrived
    assert set(cloud.named.values()) == {1}
    rows = cloud.rollups()
    assert {row.length for row in rows} >= {HOUR_S, DAY_S}
    for row in rows:
        if row.length > WINDOW_S:
            season.truth.check(row)
    assert sum(row.unique_tracks for row in rows) == season.truth.unique.total()
    assert sum(row.observed_ms for row in rows if row.class_name == row.zone == ANY) == season.truth.observed_ms.total()
    assert sum(row.readings for row in cloud.measures()) == season.truth.readings.total()
    box.outbox.settle(through=last).result(30)
    box.give_back()
    assert box.depth().entries == 0
    box.close()
    kept_pages = 1024 * 4096  # for what comes next
    assert (tmp_path / DATABASE).stat().st_size < sizes[-1] - sum(len(entry.body) for entry in waiting) + kept_pages


SHEDDING = """
import sys
from pathlib import Path
from agent.store import DATABASE, Limits
from tests.store.offline_box import OfflineBox
from tests.store.test_months_offline import DAY_S, HOUR_S, START_S, WINDOW_S, number_of, numbered

box = OfflineBox(Path(sys.argv[1]), START_S, Limits(entries=40, size_bytes=10**9, disk_free_bytes=0))
print("open", flush=True)
number = number_of(box)
while True:
    box.clock.step_utc(START_S + 10 * DAY_S + number * WINDOW_S - box.clock.now().utc_ns / 1e9)
    box.put(numbered(number))
    if number % 5 == 0:
        box.event("e")
    number += 1
    box.shed()
    box.give_back()
"""


def numbered(number: int) -> list[Rollup]:
    """A window of its own for each number, with one object in it."""
    start_s = START_S + number * WINDOW_S
    return [
        Rollup("north", ANY, name, start_s, WINDOW_S, 1, 0, 900_000, FRAMES, 1, 1, 1, 0.5) for name in (ANY, "apple")
    ]


def number_of(box: OfflineBox) -> int:
    """How many windows are stored, however they were merged."""
    c = rollup_table.c
    with box.store.read.connect() as connection:
        return connection.execute(select(func.sum(c.unique_tracks)).where(c.class_name == ANY)).scalar() or 0


def test_kill_at_any_moment_loses_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    """Killed again and again while it records and sheds, a box names each missing entry once; its sums are right."""
    chance = random.Random(1)
    done = 0
    for _ in range(4):
        command = [sys.executable, "-c", SHEDDING, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            time.sleep(0.3 + chance.random())
            process.kill()
        box = OfflineBox(tmp_path, START_S)
        cloud = CloudModel()
        cloud.take(box.waiting())
        stored = number_of(box)
        assert stored > done
        done = stored
        assert cloud.named == dict.fromkeys(set(range(1, box.outbox.last_seq() + 1)) - cloud.arrived, 1)
        assert sum(row.unique_tracks for row in cloud.rollups() if row.class_name == ANY) == stored
        assert {entry.channel for entry in box.waiting()} >= {Channel.SHED}
        box.close()
