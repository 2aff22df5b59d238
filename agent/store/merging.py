"""Merges short windows into an hour or a day, in the box's history; what comes later for one adds up there."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Table, case, delete, func, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from agent.store.promises import Stored
from agent.store.rows import upsert
from agent.store.schema import measure as measure_table
from agent.store.schema import merged
from agent.store.schema import rollup as rollup_table
from agent.types import MeasureRollup, Rollup

HOUR_S = 3600
DAY_S = 86_400


class Window(NamedTuple):
    """One window of all cameras, UTC seconds."""

    start_s: int
    length_s: int


def window_around(start_s: int, length_s: int) -> Window:
    """Return the window of this length in which something that starts at ``start_s`` lies."""
    return Window(start_s - start_s % length_s, length_s)


def merged_around(connection: Connection, camera: str, start_s: int, length_s: int) -> Window | None:
    """Return the merged window of a camera in which a shorter one lies; None where there is none."""
    longer = [window_around(start_s, length) for length in (DAY_S, HOUR_S) if length > length_s]
    query = select(merged.c.window_start_s, merged.c.window_s).where(
        merged.c.camera == camera, tuple_(merged.c.window_start_s, merged.c.window_s).in_(longer)
    )
    row = connection.execute(query.order_by(merged.c.window_s.desc()).limit(1)).one_or_none()
    return None if row is None else Window(*row)


def merge_windows(connection: Connection, cameras: Collection[str], window: Window) -> list[Stored]:
    """Merge all that is stored of these cameras in a window into one row a zone and class, and one a measure.

    The rows are those of one long window: a class counts against all frames of the camera, also those of minutes in
    which it was not seen. The shorter rows are deleted; the window is marked, so that later ones are merged too.

    Args:
        connection: In a write transaction.
        cameras: By name.
        window: An hour or a day.

    Returns:
        What the cloud is to be told: the rows of those cameras that had shorter windows in it, each with a revision
        above the last.
    """
    cameras = {
        camera
        for table in (rollup_table, measure_table)
        for camera in connection.execute(
            select(table.c.camera).where(*_inside(table, cameras, window), _is_shorter(table, window)).distinct()
        ).scalars()
    }
    if not cameras:
        return []
    rollups: list[Stored] = list(_merged_rollups(connection, cameras, window))
    measures: list[Stored] = list(_merged_measures(connection, cameras, window))
    for table in (rollup_table, measure_table):
        connection.execute(delete(table).where(*_inside(table, cameras, window), _is_shorter(table, window)))
    upsert(connection, rollups)
    upsert(connection, measures)
    _mark(connection, cameras, window)
    return [*rollups, *measures]


def cameras_with(connection: Connection, cameras: Collection[str], window: Window) -> set[str]:
    """Return those of these cameras of which this very window is stored."""
    return {
        camera
        for table in (rollup_table, measure_table)
        for camera in connection.execute(
            select(table.c.camera).where(*_inside(table, cameras, window), ~_is_shorter(table, window)).distinct()
        ).scalars()
    }


def _inside(table: Table, cameras: Collection[str], window: Window) -> Sequence[ColumnElement[bool]]:
    return (
        table.c.window_start_s.between(window.start_s, window.start_s + window.length_s - 1),
        table.c.window_s <= window.length_s,
        # What a corrected clock has put across its end is not in it, here and in the cloud.
        table.c.window_start_s + table.c.window_s <= window.start_s + window.length_s,
        # Not by the primary key, which begins with the camera: that would read all of its history.
        table.c.camera.concat("").in_(cameras),
    )


def _is_shorter(table: Table, window: Window) -> ColumnElement[bool]:
    return table.c.window_s < window.length_s


def _revision(table: Table, window: Window) -> ColumnElement[int]:
    """The revision of what is stored of the window itself, 0 if nothing is."""
    return func.max(case((table.c.window_s == window.length_s, table.c.revision), else_=0))


@dataclass(slots=True)
class _Whole:
    """What a camera did in the window as a whole."""

    boot: int
    monotonic_start_ns: int
    observed_ms: int = 0
    frames: int = 0

    @classmethod
    def by_camera(cls, rows: Iterable[Row[Any]], window: Window) -> "dict[str, tuple[_Whole, str]]":
        """Add up its windows in the order of time; return that with the place at which the camera was for longest."""
        found: dict[str, _Whole] = {}
        places: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            before_ns = (row.window_start_s - window.start_s) * 1_000_000_000
            whole = found.setdefault(row.camera, cls(row.boot, row.monotonic_start_ns - before_ns))
            whole.observed_ms += row.observed_ms
            whole.frames += row.frames
            if row.place:
                places[row.camera][row.place] += row.observed_ms
        return {
            camera: (whole, max(sorted(places[camera]), key=places[camera].__getitem__, default=""))
            for camera, whole in found.items()
        }


def _merged_rollups(connection: Connection, cameras: Collection[str], window: Window) -> Iterator[tuple[Rollup, int]]:
    c = rollup_table.c
    inside = _inside(rollup_table, cameras, window)
    # All rows of a window have the frames of the picture, but for classes that were seen in a part of it only.
    pictures = select(
        c.camera,
        c.window_start_s,
        func.min(c.boot).label("boot"),
        func.min(c.monotonic_start_ns).label("monotonic_start_ns"),
        func.max(c.observed_ms).label("observed_ms"),
        func.max(c.frames).label("frames"),
        func.max(c.place).label("place"),
    ).where(*inside)
    in_order = pictures.group_by(c.camera, c.window_start_s, c.window_s).order_by(c.window_start_s)
    wholes = _Whole.by_camera(connection.execute(in_order), window)
    sums = select(
        c.camera,
        c.zone,
        c.class_name,
        func.sum(c.unique_tracks).label("unique"),
        func.sum(c.presence).label("presence"),
        func.max(c.occupancy_max).label("occupancy_max"),
        func.sum(c.score_sum).label("score_sum"),
        _revision(rollup_table, window).label("revision"),
    )
    for row in connection.execute(sums.where(*inside).group_by(c.camera, c.zone, c.class_name)).mappings().all():
        values = dict(row)
        revision = values.pop("revision") + 1
        whole, place = wholes[row["camera"]]
        yield (
            Rollup(
                **values,
                window_start_s=window.start_s,
                window_s=window.length_s,
                boot=whole.boot,
                monotonic_start_ns=whole.monotonic_start_ns,
                observed_ms=whole.observed_ms,
                frames=whole.frames,
                place=place,
            ),
            revision,
        )


def _merged_measures(
    connection: Connection, cameras: Collection[str], window: Window
) -> Iterator[tuple[MeasureRollup, int]]:
    c = measure_table.c
    sums = select(
        c.camera,
        c.zone,
        c.class_name,
        c.name,
        func.min(c.boot).label("boot"),
        func.sum(c.readings).label("count"),
        func.sum(c.total).label("total"),
        func.min(c.least).label("least"),
        func.max(c.most).label("most"),
        _revision(measure_table, window).label("revision"),
    ).where(*_inside(measure_table, cameras, window))
    for row in connection.execute(sums.group_by(c.camera, c.zone, c.class_name, c.name)).mappings().all():
        values = dict(row)
        revision = values.pop("revision") + 1
        yield MeasureRollup(**values, window_start_s=window.start_s, window_s=window.length_s), revision


def _mark(connection: Connection, cameras: Collection[str], window: Window) -> None:
    """Remember that the window is merged; what says so of shorter ones inside it is not needed any more."""
    c = merged.c
    inside = c.window_start_s.between(window.start_s, window.start_s + window.length_s - 1)
    connection.execute(delete(merged).where(inside, c.window_s < window.length_s, c.camera.in_(cameras)))
    rows = [{"camera": each, "window_start_s": window.start_s, "window_s": window.length_s} for each in cameras]
    connection.execute(insert(merged).on_conflict_do_nothing(), rows)
