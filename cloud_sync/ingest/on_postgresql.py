"""The tables of the cloud on PostgreSQL: columns travel as arrays, one statement a table, boxes are locked in order."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Float, Integer, LargeBinary, Table

from cloud_sync.ingest.partitions import make_partitions
from cloud_sync.ingest.schema import DAY_S
from cloud_sync.ingest.statements import clash_clause, key_of, replaced_condition
from cloud_sync.ingest.tables import Clash, Columns, Range, Window


class PostgresTables:
    """Values go to the server as array literals: psycopg adapts each element of a list in Python."""

    def put(self, connection: Connection, table: Table, columns: Columns, clash: Clash) -> None:
        """Insert rows, no two of which have the same key."""
        if not next(iter(columns.values()), ()):
            return
        types = [_type_of(table, name) for name in columns]
        literals = tuple(_LITERAL[kind](values) for kind, values in zip(types, columns.values(), strict=True))
        connection.exec_driver_sql(_insert(table, tuple(columns), clash), literals)

    def lock_boxes(self, connection: Connection, columns: Columns) -> None:
        """Make the ``device`` rows that are missing and hold all of them until the end of the transaction."""
        literals = (_texts(columns["site"]), _texts(columns["device"]), _numbers(columns["last_seen_ms"]))
        connection.exec_driver_sql(_LOCK_BOXES, literals)

    def touching(self, connection: Connection, ranges: Sequence[Range]) -> list[Range]:
        """Return the rows of ``received`` that overlap or adjoin these ranges, and those that begin with seq 1."""
        rows = connection.exec_driver_sql(_TOUCHING, _range_literals(ranges)) if ranges else ()
        return [Range(*row) for row in rows]

    def remove_ranges(self, connection: Connection, ranges: Sequence[Range]) -> None:
        """Remove rows of ``received``."""
        if ranges:
            connection.exec_driver_sql(_REMOVE, _range_literals(ranges)[:2])

    def merged_within(self, connection: Connection, spans: Iterable[tuple[str, str, int, int]]) -> list[Window]:
        """Return the long windows in which a window may lie that begins in these spans: (site, device, first, last)."""
        site, name, first, last = zip(*spans, strict=True)
        literals = (_texts(site), _texts(name), _numbers(first), _numbers(last))
        return [Window(*row) for row in connection.exec_driver_sql(_MERGED, literals)]

    def remove_replaced(self, connection: Connection, table: Table, windows: Sequence[Window]) -> None:
        """Remove what is shorter inside these windows and has a row in them of the same zone, class and name."""
        if not windows:
            return
        site, name, start, length, camera = zip(*windows, strict=True)
        literals = (_texts(site), _texts(name), _numbers(start), _numbers(length), _texts(camera))
        connection.exec_driver_sql(_remove_replaced(table), literals)

    def make_room(self, connection: Connection, table: Table, moments: Iterable[int]) -> None:
        """See to it that rows of these moments find their partitions, made in a transaction of their own."""
        make_partitions(connection, table, moments)


_LOCK_BOXES = """INSERT INTO device (site, device, last_seen_ms)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[])
ON CONFLICT (site, device) DO UPDATE SET last_seen_ms = coalesce(excluded.last_seen_ms, device.last_seen_ms)"""

_TOUCHING = """SELECT DISTINCT near.stream, near.first, near.last
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS w (stream, first, last) CROSS JOIN LATERAL (
    SELECT stream, first, last FROM received
    WHERE stream = w.stream AND first > w.first AND first <= w.last + 1
    UNION ALL (SELECT stream, first, last FROM received
    WHERE stream = w.stream AND first <= w.first ORDER BY first DESC LIMIT 1)
    UNION ALL SELECT stream, first, last FROM received WHERE stream = w.stream AND first = 1
) AS near ORDER BY near.stream, near.first"""

_REMOVE = """DELETE FROM received USING unnest(%s::text[], %s::bigint[]) AS w (stream, first)
WHERE received.stream = w.stream AND received.first = w.first"""

_MERGED = f"""SELECT DISTINCT m.site, m.device, m.start, m.length, m.camera
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[]) AS w (site, device, first, last)
JOIN merged_window AS m ON m.site = w.site AND m.device = w.device
    AND m.start BETWEEN w.first - {DAY_S} AND w.last AND m.start + m.length > w.first
ORDER BY m.site, m.device, m.start, m.length, m.camera"""  # noqa: S608


@cache
def _insert(table: Table, names: tuple[str, ...], clash: Clash) -> str:
    arrays = ", ".join(f"%s::{_type_of(table, name)}[]" for name in names)
    return f"""INSERT INTO {table.name} ({", ".join(names)}) SELECT * FROM unnest({arrays})
ON CONFLICT ({", ".join(key_of(table))}) {clash_clause(table, names, clash)}"""  # noqa: S608  names from the schema, here and below


@cache
def _remove_replaced(table: Table) -> str:
    return f"""DELETE FROM {table.name} AS short
USING unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[]) AS w ({", ".join(Window._fields)})
WHERE {replaced_condition(table, "w.{}")}"""  # noqa: S608


def _type_of(table: Table, name: str) -> str:
    kind = table.c[name].type
    if isinstance(kind, LargeBinary):
        return "bytea"
    if isinstance(kind, Float):
        return "float8"
    return "bigint" if isinstance(kind, BigInteger | Integer) else "text"


def _range_literals(ranges: Sequence[Range]) -> tuple[str, str, str]:
    stream, first, last = zip(*ranges, strict=True)
    return _texts(stream), _numbers(first), _numbers(last)


def _numbers(values: Iterable[float | None]) -> str:
    """Return an array literal of numbers. ``repr`` of a float reads back as the same float."""
    return "{" + ",".join(map(repr, values)).replace("None", "NULL") + "}"


def _texts(values: Iterable[str | None]) -> str:
    """Return an array literal of texts, most of which occur many times."""
    values = tuple(values)
    quoted = {value: _quote(value) for value in set(values)}
    return "{" + ",".join(map(quoted.__getitem__, values)) + "}"


def _quote(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bytes(values: Iterable[bytes]) -> str:
    return "{" + ",".join(f'"\\\\x{value.hex()}"' for value in values) + "}"


_LITERAL: dict[str, Callable[[Sequence[Any]], str]] = {
    "bigint": _numbers,
    "float8": _numbers,
    "text": _texts,
    "bytea": _bytes,
}
