"""Summaries as rows: of the database, by column, and of the wire."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert

from agent.types import MeasureRollup, Rollup
from cloud_sync.wire import MeasureRow, RollupRow

_DECIMALS = 7  # of a measure on the wire: a centimetre, for what is in degrees

_COLUMN_OF = {"unique": "unique_tracks", "count": "readings"}  # UNIQUE and COUNT are words of SQL
_FIELD_OF = {column: field for field, column in _COLUMN_OF.items()}


def columns_of(part: Rollup | MeasureRollup) -> dict[str, Any]:
    """Return the values of a summary by column."""
    return {_COLUMN_OF.get(name, name): value for name, value in asdict(part).items()}


def fields_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the values of a stored row by field of its summary."""
    return {_FIELD_OF.get(name, name): value for name, value in row.items()}


def upsert(connection: Connection, table: Table, whole: Rollup | MeasureRollup, revision: int) -> None:
    """Write a summary in place of what is stored under its key."""
    values = {**columns_of(whole), "revision": revision}
    connection.execute(insert(table).values(values).on_conflict_do_update(set_=values))


def wire_row(whole: Rollup, revision: int) -> RollupRow:
    """Return a rollup as it travels: with means in place of sums."""
    return RollupRow(
        camera=whole.camera,
        zone=whole.zone,
        class_name=whole.class_name,
        start=whole.window_start_s,
        length=whole.window_s,
        revision=revision,
        observed_ms=whole.observed_ms,
        frames=whole.frames,
        unique_tracks=whole.unique,
        occupancy_mean=round(whole.presence / whole.frames, 3) if whole.frames else 0.0,
        occupancy_max=whole.occupancy_max,
        confidence_mean=round(min(whole.score_sum / whole.presence, 1.0), 3) if whole.presence else None,
        place=whole.place,
    )


def wire_measure(whole: MeasureRollup, revision: int) -> MeasureRow:
    """Return a measure as it travels."""
    return MeasureRow(
        camera=whole.camera,
        zone=whole.zone,
        class_name=whole.class_name,
        name=whole.name,
        start=whole.window_start_s,
        length=whole.window_s,
        revision=revision,
        readings=whole.count,
        total=round(whole.total, _DECIMALS),
        least=round(whole.least, _DECIMALS),
        most=round(whole.most, _DECIMALS),
    )
