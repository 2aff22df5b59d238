"""Rollup and measure rows as a program holds them, and the columns in which they travel."""

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from cloud_sync.wire.messages import MeasureColumns, RollupColumns, WindowColumns


class RollupRow(NamedTuple):
    """One window of one camera, zone and class; units and meaning as in ``RollupColumns``, ``start`` absolute."""

    camera: str
    zone: str
    class_name: str
    start: int
    length: int
    revision: int
    observed_ms: int
    frames: int
    unique_tracks: int
    occupancy_mean: float
    occupancy_max: int
    confidence_mean: float | None
    place: str = ""


class MeasureRow(NamedTuple):
    """One window of one measure; units and meaning as in ``MeasureColumns``, ``start`` absolute."""

    camera: str
    zone: str
    class_name: str
    name: str
    start: int
    length: int
    revision: int
    readings: int
    total: float
    least: float
    most: float


class WindowRow(NamedTuple):
    """One window of one camera, whole; units as in ``WindowColumns``, ``start`` absolute."""

    camera: str
    start: int
    length: int


def columns_of(rows: Iterable[RollupRow]) -> RollupColumns:
    """Return rows as columns, start times delta-coded, order kept."""
    return RollupColumns(**_columns(RollupRow._fields, tuple(rows)))


def rows_of(columns: RollupColumns) -> list[RollupRow]:
    """Return columns as rows, start times absolute, order kept."""
    return [RollupRow(*values) for values in _rows(RollupRow._fields, columns)]


def measure_columns_of(rows: Iterable[MeasureRow]) -> MeasureColumns:
    """Return rows as columns, start times delta-coded, order kept."""
    return MeasureColumns(**_columns(MeasureRow._fields, tuple(rows)))


def measure_rows_of(columns: MeasureColumns) -> list[MeasureRow]:
    """Return columns as rows, start times absolute, order kept."""
    return [MeasureRow(*values) for values in _rows(MeasureRow._fields, columns)]


def window_columns_of(rows: Iterable[WindowRow]) -> WindowColumns:
    """Return rows as columns, start times delta-coded, order kept."""
    return WindowColumns(**_columns(WindowRow._fields, tuple(rows)))


def window_rows_of(columns: WindowColumns) -> list[WindowRow]:
    """Return columns as rows, start times absolute, order kept."""
    return [WindowRow(*values) for values in _rows(WindowRow._fields, columns)]


def _columns(fields: tuple[str, ...], rows: tuple[Any, ...]) -> dict[str, Any]:
    columns: dict[str, Any] = dict.fromkeys(fields, ())
    if rows:
        columns.update(zip(fields, zip(*rows, strict=True), strict=True))
    starts = columns["start"]
    columns["start"] = (*starts[:1], *(later - earlier for earlier, later in pairwise(starts)))
    return columns


def _rows(
    fields: tuple[str, ...], columns: RollupColumns | MeasureColumns | WindowColumns
) -> Iterable[tuple[Any, ...]]:
    absolute = {"start": tuple(accumulate(columns.start))}
    return zip(*(absolute.get(name, getattr(columns, name)) for name in fields), strict=True)
