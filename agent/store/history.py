"""Looks back over what is stored: days of a measure, the last word on something, windows without a place."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from agent.places import Unplaced
from agent.status import HourCount, HourMeasure
from agent.store.schema import event as event_table
from agent.store.schema import measure as measure_table
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, Rollup

HOUR_S = 3600
DAY_S = 86_400
DEGREE_M = 111_320
"""Of latitude; one of longitude is less."""

POSITION = ("latitude_deg", "longitude_deg", "position_error_m")


def counts_since(connection: Connection, since_s: int, unfinished: Iterable[Rollup] = ()) -> list[HourCount]:
    """Add up rollups by camera, zone and class.

    Args:
        connection: For reading.
        since_s: UTC seconds; windows that start from here on count.
        unfinished: Windows that are not stored yet, to be added.

    Returns:
        One row a camera, zone and class, sorted. A class has rollups only for the windows in which it was seen; it is
        measured against all that its camera watched.
    """
    c = rollup_table.c
    query = (
        select(
            c.camera,
            c.zone,
            c.class_name,
            func.sum(c.unique_tracks),
            func.sum(c.observed_ms),
            func.sum(c.frames),
            func.sum(c.presence),
            func.max(c.occupancy_max),
        )
        .where(c.window_start_s >= since_s)
        .group_by(_by_no_key(c.camera), c.zone, c.class_name)
    )
    sums = {tuple(row[:3]): tuple(row[3:]) for row in connection.execute(query)}
    for part in unfinished:
        if part.window_start_s >= since_s:
            key = (part.camera, part.zone, part.class_name)
            unique, observed_ms, frames, presence, peak = sums.get(key, (0, 0, 0, 0, 0))
            sums[key] = (
                unique + part.unique,
                observed_ms + part.observed_ms,
                frames + part.frames,
                presence + part.presence,
                max(peak, part.occupancy_max),
            )
    return [_count(key, sums) for key in sorted(sums)]


def _count(key: tuple[str, ...], sums: dict[tuple[str, ...], tuple[int, ...]]) -> HourCount:
    camera, zone, class_name = key
    unique, _, _, presence, peak = sums[key]
    _, observed_ms, frames, _, _ = sums.get((camera, ANY, ANY), (0, 0, 0, 0, 0))
    mean = presence / frames if frames else 0.0
    return HourCount(camera, class_name, unique, observed_ms / 1000, frames, mean, peak, zone)


def measures_since(connection: Connection, since_s: int) -> list[HourMeasure]:
    """Add up measures by camera, zone, class and name, from windows that start at ``since_s`` (UTC) or later."""
    c = measure_table.c
    total, readings = func.sum(c.total), func.sum(c.readings)
    key = (c.camera, c.zone, c.class_name, c.name)
    query = select(*key, readings, total, total / readings).where(c.window_start_s >= since_s)
    return [
        HourMeasure(*row) for row in connection.execute(query.group_by(_by_no_key(c.camera), *key[1:]).order_by(*key))
    ]


def _by_no_key(camera: ColumnElement[str]) -> ColumnElement[str]:
    """Return a camera as no index has it: SQLite would group along the primary key, and read all of the history."""
    return camera.concat("")


def daily_sums(
    connection: Connection, names: Sequence[str], *, since_s: int, until_s: int
) -> dict[str, dict[str, list[tuple[int, float, int]]]]:
    """Add up measures of the whole picture by day.

    Args:
        connection: For reading.
        names: Of the measures.
        since_s: UTC seconds, the beginning of a day.
        until_s: UTC seconds; windows that start before it count.

    Returns:
        By camera and measure: days since 1970, total and readings, in ascending order.
    """
    c = measure_table.c
    day = c.window_start_s // DAY_S
    query = (
        select(c.camera, c.name, day, func.sum(c.total), func.sum(c.readings))
        .where(c.name.in_(names), c.zone == ANY, c.class_name == ANY, c.window_start_s.between(since_s, until_s - 1))
        .group_by(c.camera, c.name, day)
        .order_by(day)
    )
    found: dict[str, dict[str, list[tuple[int, float, int]]]] = defaultdict(lambda: defaultdict(list))
    for camera, name, day_number, total, readings in connection.execute(query):
        found[camera][name].append((day_number, total, readings))
    return found


def days_recorded(connection: Connection, *, since_day: int, enough: int) -> int:
    """Return on how many days, counted since 1970, windows begin from a day on; no more are looked for than ``enough``.

    Goes from one day with rows to the next by the index: a season of minutes is not read for it.
    """
    start_s, found = rollup_table.c.window_start_s, 0
    next_s = connection.execute(select(func.min(start_s)).where(start_s >= since_day * DAY_S)).scalar()
    while next_s is not None and found < enough:
        found += 1
        next_s = connection.execute(select(func.min(start_s)).where(start_s >= (next_s // DAY_S + 1) * DAY_S)).scalar()
    return found


def newest_window_s(connection: Connection) -> int | None:
    """Return when the newest stored window began, UTC seconds; None where there is none."""
    newest: int | None = connection.execute(select(func.max(rollup_table.c.window_start_s))).scalar()
    return newest


def window_span_s(connection: Connection) -> tuple[int, int] | None:
    """Return when the oldest and the newest stored window began, UTC seconds; None where there is none."""
    start = rollup_table.c.window_start_s
    first, last = (  # a query each: of both at once, SQLite reads the whole index
        connection.execute(select(end(start))).scalar() for end in (func.min, func.max)
    )
    return None if first is None or last is None else (first, last)


def last_events(connection: Connection, kind: str) -> Sequence[Row[Any]]:
    """Return the newest event of a kind from each camera that has one, by camera; however many there are of it."""
    c = event_table.c
    first = select(func.min(c.camera).label("camera")).where(c.kind == kind)
    names = first.cte("names", recursive=True)
    following = select(func.min(c.camera)).where(c.kind == kind, c.camera > names.c.camera).scalar_subquery()
    names = names.union_all(select(following).where(names.c.camera.is_not(None)))
    last = select(func.max(c.id)).where(c.kind == kind, c.camera == names.c.camera).scalar_subquery()
    newest = select(last).select_from(names)
    return connection.execute(select(event_table).where(c.id.in_(newest)).order_by(c.camera)).all()


def last_event(connection: Connection, kind: str, camera: str) -> str | None:
    """Return the data, JSON, of the newest event of a kind from a camera; None where there is none."""
    c = event_table.c
    query = select(c.data).where(c.kind == kind, c.camera == camera).order_by(c.id.desc()).limit(1)
    data: str | None = connection.execute(query).scalar()
    return data


def windows_without_place(connection: Connection, *, limit: int) -> list[Unplaced]:
    """Return windows whose position is stored and whose place is not known, newest first."""
    rollups, measures = rollup_table.c, measure_table.c
    windows = (
        select(rollups.camera, rollups.window_start_s, rollups.window_s)
        .where(rollups.place == "", rollups.zone == ANY, rollups.class_name == ANY)
        .join(
            measure_table,
            (measures.camera == rollups.camera)
            & (measures.window_start_s == rollups.window_start_s)
            & (measures.window_s == rollups.window_s)
            & (measures.name == POSITION[0]),
        )
        .order_by(rollups.window_start_s.desc())
        .limit(limit)
    )
    return [_unplaced(connection, *window) for window in connection.execute(windows).all()]


def _unplaced(connection: Connection, camera: str, window_start_s: int, window_s: int) -> Unplaced:
    c = measure_table.c
    query = select(c.name, c.total / c.readings, c.most - c.least).where(
        c.camera == camera, c.window_start_s == window_start_s, c.window_s == window_s, c.name.in_(POSITION)
    )
    found = {name: (mean, spread) for name, mean, spread in connection.execute(query)}
    means = {name: mean for name, (mean, _) in found.items()}
    latitude, longitude, error = (means.get(name) for name in POSITION)
    assert latitude is not None
    assert longitude is not None
    if window_s >= HOUR_S:  # minutes that were merged: the mean of where a camera was is no more exact than it stayed
        across_m = [found[name][1] * DEGREE_M for name in POSITION[:2]]
        error = max(error or 0.0, *across_m)
    return Unplaced(camera, window_start_s, window_s, latitude, longitude, error)
