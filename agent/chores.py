"""What the box does now and then: forget what is too old, keep the outbox small, compare days, name places."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import structlog
from sqlalchemy import Connection

from agent.analytics.farm import CanopyTrend, DailyValue
from agent.clock import Clock
from agent.config import Config
from agent.machine import read_machine
from agent.places import Places, assign
from agent.store import (
    Limits,
    Recorder,
    Shedder,
    Store,
    Writer,
    assign_places,
    daily_sums,
    days_recorded,
    delete_older,
    give_back,
    last_event,
    newest_window_s,
    windows_without_place,
)

log = structlog.get_logger()

CANOPY_MEASURES = ("canopy_cover", "exg", "vari", "gli")
DAY_S = 86_400
TREND_DAYS = 60
WINDOWS_AT_ONCE = 1000
LEAP_S = 30 * DAY_S
DISTRUST_NS = DAY_S * 10**9
LIVED_DAYS = 30
"""By a clock that the kernel does not vouch for, nothing is deleted before so many days of it have rows."""
WRITE_TIMEOUT_S = 60
MB = 1_000_000
AT_A_TIME_S = 2.0
"""How long the work on what waits goes on at once: a stop waits for it. The rest is done the next time."""


class Chores:
    """Reads the history through the store, and writes through the one writer."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        writer: Writer,
        recorder: Recorder,
        places: Places,
        clock: Clock,
        is_confirmed: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take what it works on; nothing runs yet. ``is_confirmed`` tells whether the kernel vouches for the clock."""
        self._config = config
        self._store = store
        self._writer = writer
        self._recorder = recorder
        self._places = places
        self._clock = clock
        self._is_confirmed = is_confirmed
        self._deletes_from_ns = clock.now().monotonic_ns + (DISTRUST_NS if self._clock_leapt() else 0)
        self._trends = {
            camera.name: CanopyTrend(camera.name, drop=camera.farm.canopy_drop, told=self._told(camera.name))
            for camera in config.cameras
            if camera.farm.canopy
        }

        self._shedder = Shedder(
            store.read,
            writer,
            Limits(
                entries=config.storage.outbox_max_entries,
                size_bytes=config.storage.outbox_max_mb * MB,
                disk_free_bytes=config.storage.disk_free_min_mb * MB,
            ),
            now=clock.now,
            disk_free=self._disk_free,
        )

    def _disk_free(self) -> int | None:
        machine = read_machine(self._config.storage.data_dir)
        return machine.disk_free_bytes if machine.disk_total_bytes else None

    def bound_outbox(self) -> None:
        """Give up what waits beyond the limits, by value, and give free pages back to the file system."""
        until_ns = self._clock.now().monotonic_ns + round(AT_A_TIME_S * 1e9)
        self._shedder.shed(for_s=AT_A_TIME_S)
        while self._write(give_back) and self._clock.now().monotonic_ns < until_ns:
            pass

    def distrust_clock(self) -> None:
        """The wall clock was set: delete nothing by it for a day, in which a wrong one is mostly put right."""
        self._deletes_from_ns = self._clock.now().monotonic_ns + DISTRUST_NS

    def _clock_leapt(self) -> bool:
        """Tell whether the clock is so far beyond what is stored that it may be wrong, as after an empty battery."""
        with self._store.read.connect() as connection:
            newest_s = newest_window_s(connection)
        return newest_s is not None and self._clock.now().utc_ns // 10**9 - newest_s > LEAP_S

    def retire(self) -> None:
        """Delete what is older than the configuration says, a chunk a transaction; nothing by a clock in doubt."""
        if self._clock.now().monotonic_ns < self._deletes_from_ns:
            return
        days = self._config.storage.retention_days
        limit_ns = self._clock.now().utc_ns - round(timedelta(days=days).total_seconds() * 1e9)
        if not self._is_confirmed() and not self._has_lived_since(limit_ns // 10**9 // DAY_S):
            return
        deleted = 0
        while chunk := self._write(lambda connection: delete_older(connection, limit_ns)):
            deleted += chunk
        if deleted:
            log.info("retired", rows=deleted, older_than_days=days)

    def _has_lived_since(self, day: int) -> bool:
        """Tell whether the box has recorded on enough days since one: a clock that leapt by years has few."""
        with self._store.read.connect() as connection:
            return days_recorded(connection, since_day=day, enough=LIVED_DAYS) >= LIVED_DAYS

    def compare_days(self) -> None:
        """Hold each camera's finished days against its own history; where one dropped, put "look here" on record."""
        now = self._clock.now()
        today = now.utc_ns // 10**9 // DAY_S
        with self._store.read.connect() as connection:
            sums = daily_sums(connection, CANOPY_MEASURES, since_s=(today - TREND_DAYS) * DAY_S, until_s=today * DAY_S)
        for camera, trend in self._trends.items():
            daily = {name: [_daily(*day) for day in days] for name, days in sums.get(camera, {}).items()}
            for event in trend.review(daily, now):
                log.warning("look_here", camera=camera, measure=event.data["measure"], day=event.data["day"])
                self._recorder.event(event)

    def name_places(self) -> None:
        """Give windows that matched no place theirs, where the map knows it by now."""
        if not self._places.names:
            return
        with self._store.read.connect() as connection:
            found = assign(windows_without_place(connection, limit=WINDOWS_AT_ONCE), self._places)
        if found:
            now, send = self._clock.now(), self._config.sync.broker is not None
            rows = self._write(lambda connection: assign_places(connection, found, now=now, send=send))
            log.info("places_assigned", windows=len(found), rows=rows)

    def _told(self, camera: str) -> date | None:
        with self._store.read.connect() as connection:
            data = last_event(connection, "look-here", camera)
        return date.fromisoformat(json.loads(data)["day"]) if data else None

    def _write(self, work: Callable[[Connection], int]) -> int:
        return self._writer.submit(work).result(timeout=WRITE_TIMEOUT_S)


def _daily(day: int, total: float, readings: int) -> DailyValue:
    return DailyValue(datetime.fromtimestamp(day * DAY_S, UTC).date(), total / readings, readings)
