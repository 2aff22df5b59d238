"""Partitions by month on PostgreSQL, made when the first row of a month arrives.

A month that is no longer wanted is one statement: ``DROP TABLE rollup_2024_01``. If rows of it come again, so does the
partition.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Table, text

from cloud_sync.ingest.schema import DAY_S, evidence

FIRST_YEAR, END_YEAR = 2020, 2100
"""What lies outside was sent by boxes whose clock was far off: one partition before and one after hold all of it."""

_LOCK = 0x48656467  # of the advisory lock: two workers must not make the same partition


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: its name, and the values of its key from ``first`` to before ``end``, as SQL."""

    name: str
    first: str
    end: str


def partitions_of(table: Table, moments: Iterable[int]) -> list[Partition]:
    """Return the partitions that hold these moments, in the order of their names.

    Args:
        table: Partitioned.
        moments: Since 1970, in the unit of its partition key: milliseconds for evidence, else seconds.
    """
    unit = 1000 if table is evidence else 1
    days = {moment // (DAY_S * unit) for moment in moments}
    found = {_partition(table.name, day, unit) for day in days}
    return sorted(found, key=lambda partition: partition.name)


def make_partitions(connection: Connection, table: Table, moments: Iterable[int]) -> None:
    """Make the partitions that are missing for these moments, in a transaction of their own.

    Attaching a finished table locks out neither readers nor writers, as ``CREATE TABLE ... PARTITION OF`` would, so it
    does not wait for the caller's transaction either.

    Args:
        connection: In the caller's transaction.
        table: Partitioned.
        moments: As for ``partitions_of``.

    Source: PostgreSQL 15 documentation, section 5.11.2.2.
    """
    wanted = partitions_of(table, moments)
    if not _missing(connection, table, wanted):
        return
    with connection.engine.begin() as own:
        own.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        for partition in _missing(own, table, wanted):
            # One that somebody detached is taken back.
            own.execute(text(f"CREATE TABLE IF NOT EXISTS {partition.name} (LIKE {table.name} INCLUDING ALL)"))
            values = f"FROM ({partition.first}) TO ({partition.end})"
            own.execute(text(f"ALTER TABLE {table.name} ATTACH PARTITION {partition.name} FOR VALUES {values}"))


def _missing(connection: Connection, table: Table, wanted: Sequence[Partition]) -> list[Partition]:
    statement = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = to_regclass(:table)"
    there = set(connection.execute(text(statement), {"table": table.name}).scalars())
    return [partition for partition in wanted if partition.name not in there]


def _partition(table: str, day: int, unit: int) -> Partition:
    first_day, end_day = _day(FIRST_YEAR, 1), _day(END_YEAR, 1)
    if day < first_day:
        return Partition(f"{table}_before_{FIRST_YEAR}", "MINVALUE", str(first_day * DAY_S * unit))
    if day >= end_day:
        return Partition(f"{table}_from_{END_YEAR}", str(end_day * DAY_S * unit), "MAXVALUE")
    date = datetime.fromtimestamp(day * DAY_S, UTC)
    first = _day(date.year, date.month)
    end = _day(date.year + date.month // 12, date.month % 12 + 1)
    return Partition(f"{table}_{date:%Y_%m}", str(first * DAY_S * unit), str(end * DAY_S * unit))


def _day(year: int, month: int) -> int:
    """Return the days from 1970 to the first of a month."""
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) // DAY_S
