"""Summaries as rows: of the database, by column, and of the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, select
from sqlalchemy.dialects.sqlite import Insert, insert

from agent.store.schema import measure as measure_table
from agent.store.schema import rollup as rollup_table
from agent.types import MeasureRollup, Rollup
from cloud_sync.wire import MeasureRow, RollupRow

_DECIMALS = 7  # of a measure on the wire: a centimetre, for what is in degrees

_COLUMN_OF = {"unique": "unique_tracks", "count": "readings"}  # UNIQUE and COUNT are words of SQL
_FIELD_OF = {column: field for field, column in _COLUMN_OF.items()}


def columns_of(part: Rollup | MeasureRollup) -> dict[str, Any]:
    """Return the values of a summary by column."""
    return {_COLUMN_OF.get(each.name, each.name): getattr(part, each.name) for each in fields(part)}


def fields_of(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the values of a stored row by field of its summary."""
    return {_FIELD_OF.get(name, name): value for name, value in row.items()}


def stored(connection: Connection, part: Rollup | MeasureRollup) -> dict[str, Any] | None:
    """Return the fields of what is stored under the key of ``part``, and its revision."""
    row = connection.execute(_by_key(_table_of(part)), columns_of(part)).mappings().one_or_none()
    return None if row is None else fields_of(row)


def upsert(connection: Connection, wholes: Sequence[tuple[Rollup | MeasureRollup, int]]) -> None:
    """Write summaries of one kind with their revisions, each in place of what is stored under its key."""
    if wholes:
        rows = [{**columns_of(whole), "revision": revision} for whole, revision in wholes]
        connection.execute(_replacing(_table_of(wholes[0][0])), rows)


def _table_of(part: Rollup | MeasureRollup) -> Table:
    return rollup_table if isinstance(part, Rollup) else measure_table


@cache  # a statement takes longer to build than to run
def _by_key(table: Table) -> Select[Any]:
    return select(table).where(*(column == bindparam(column.name) for column in table.primary_key))


@cache
def _replacing(table: Table) -> Insert:
    added = insert(table)
    return added.on_conflict_do_update(set_={column.name: added.excluded[column.name] for column in table.c})


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
