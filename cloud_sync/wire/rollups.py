"""Rollup rows as a program holds them, and the columns in which they travel."""

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import NamedTuple

from cloud_sync.wire.messages import RollupColumns


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


def columns_of(rows: Iterable[RollupRow]) -> RollupColumns:
    """Return rows as columns, start times delta-coded, order kept."""
    rows = tuple(rows)
    columns = dict(zip(RollupRow._fields, zip(*rows, strict=True), strict=True)) if rows else {}
    starts = [row.start for row in rows]
    columns["start"] = (*starts[:1], *(later - earlier for earlier, later in pairwise(starts)))
    return RollupColumns(**{name: columns.get(name, ()) for name in RollupRow._fields})


def rows_of(columns: RollupColumns) -> list[RollupRow]:
    """Return columns as rows, start times absolute, order kept."""
    absolute = {"start": tuple(accumulate(columns.start))}
    return [
        RollupRow(*values)
        for values in zip(*(absolute.get(name, getattr(columns, name)) for name in RollupRow._fields), strict=True)
    ]
