"""The tables of the cloud on SQLite. Its one write lock, taken at BEGIN, is all the locking there is."""

from collections.abc import Iterable, Sequence
from functools import cache

from sqlalchemy import Connection, Table, delete, or_, select

from cloud_sync.ingest.schema import DAY_S, merged_window, received
from cloud_sync.ingest.statements import clash_clause, key_of, replaced_condition
from cloud_sync.ingest.tables import Clash, Columns, Range, Window


class SqliteTables:
    """Rows go to the driver as tuples: it has no arrays, and a statement costs it microseconds."""

    def put(self, connection: Connection, table: Table, columns: Columns, clash: Clash) -> None:
        """Insert rows, no two of which have the same key."""
        rows = list(zip(*columns.values(), strict=True))
        if rows:
            connection.exec_driver_sql(_insert(table, tuple(columns), clash), rows)

    def lock_boxes(self, connection: Connection, columns: Columns) -> None:
        """Make the ``device`` rows that are missing; the transaction has the lock already."""
        rows = list(zip(columns["site"], columns["device"], columns["last_seen_ms"], strict=True))
        connection.exec_driver_sql(_LOCK_BOXES, rows)

    def touching(self, connection: Connection, ranges: Sequence[Range]) -> list[Range]:
        """Return the rows of ``received`` that overlap or adjoin these ranges, and those that begin with seq 1."""
        ends = select(received)
        found: set[Range] = set()
        for stream, first, last in ranges:
            of_stream = received.c.stream == stream
            near = or_(received.c.first == 1, received.c.first.between(first + 1, last + 1))
            before = ends.where(of_stream, received.c.first <= first).order_by(received.c.first.desc()).limit(1)
            for statement in (before, ends.where(of_stream, near)):
                found.update(Range(*row) for row in connection.execute(statement))
        return sorted(found)

    def remove_ranges(self, connection: Connection, ranges: Sequence[Range]) -> None:
        """Remove rows of ``received``."""
        for stream, first, _ in ranges:
            connection.execute(delete(received).where(received.c.stream == stream, received.c.first == first))

    def merged_within(self, connection: Connection, spans: Iterable[tuple[str, str, int, int]]) -> list[Window]:
        """Return the long windows in which a window may lie that begins in these spans: (site, device, first, last)."""
        found: set[Window] = set()
        for site, name, first, last in spans:
            of_box = (merged_window.c.site == site, merged_window.c.device == name)
            around = (
                merged_window.c.start.between(first - DAY_S, last),
                merged_window.c.start + merged_window.c.length > first,
            )
            statement = select(merged_window).where(*of_box, *around)
            found.update(Window(*row) for row in connection.execute(statement))
        return sorted(found)

    def remove_replaced(self, connection: Connection, table: Table, windows: Sequence[Window]) -> None:
        """Remove what is shorter inside these windows and has a row in them of the same zone, class and name."""
        statement = f"DELETE FROM {table.name} AS short WHERE {replaced_condition(table, ':{}')}"  # noqa: S608
        if windows:
            connection.exec_driver_sql(statement, [window._asdict() for window in windows])

    def make_room(self, connection: Connection, table: Table, moments: Iterable[int]) -> None:
        """Nothing to do: a table is one."""


_LOCK_BOXES = """INSERT INTO device (site, device, last_seen_ms) VALUES (?, ?, ?)
ON CONFLICT (site, device) DO UPDATE SET last_seen_ms = coalesce(excluded.last_seen_ms, last_seen_ms)"""


@cache
def _insert(table: Table, names: tuple[str, ...], clash: Clash) -> str:
    places = ", ".join("?" * len(names))
    return f"""INSERT INTO {table.name} ({", ".join(names)}) VALUES ({places})
ON CONFLICT ({", ".join(key_of(table))}) {clash_clause(table, names, clash)}"""  # noqa: S608  names from the schema
