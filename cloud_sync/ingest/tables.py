"""What a batch asks of the cloud's database, in the database's own words: PostgreSQL and SQLite differ here alone."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Table

Columns = Mapping[str, Sequence[Any]]
"""Rows, a column at a time: the name of each column, and its values; all of one length."""


class Range(NamedTuple):
    """Seqs of a stream, both ends included."""

    stream: str
    first: int
    last: int


class Window(NamedTuple):
    """A window of a camera: seconds since 1970, UTC, and its length in seconds."""

    site: str
    device: str
    start: int
    length: int
    camera: str


class Clash(Enum):
    """What happens to a row whose key is there already."""

    KEEP = "keep"  # what is there stays
    REVISE = "revise"  # the higher revision stays
    REPLACE = "replace"  # what comes stays


class Tables(Protocol):
    """The tables of the cloud. Each method works in the caller's write transaction, with one statement if it can."""

    def put(self, connection: Connection, table: Table, columns: Columns, clash: Clash) -> None:
        """Insert rows, no two of which have the same key."""
        ...

    def lock_boxes(self, connection: Connection, columns: Columns) -> None:
        """Make the ``device`` rows that are missing and hold all of them until the end of the transaction.

        Whatever else belongs to a box is written under this lock, so that two workers never cross.

        Args:
            connection: In a write transaction that holds no other lock.
            columns: ``site``, ``device`` and ``last_seen_ms``, where None changes nothing; in ascending order.
        """
        ...

    def touching(self, connection: Connection, ranges: Sequence[Range]) -> list[Range]:
        """Return the rows of ``received`` that overlap or adjoin these ranges, and those that begin with seq 1."""
        ...

    def remove_ranges(self, connection: Connection, ranges: Sequence[Range]) -> None:
        """Remove rows of ``received``."""
        ...

    def merged_within(self, connection: Connection, spans: Iterable[tuple[str, str, int, int]]) -> list[Window]:
        """Return the long windows in which a window may lie that begins in these spans: (site, device, first, last)."""
        ...

    def remove_replaced(self, connection: Connection, table: Table, windows: Sequence[Window]) -> None:
        """Remove what is shorter inside these windows and has a row in them of the same zone, class and name."""
        ...

    def make_room(self, connection: Connection, table: Table, moments: Iterable[int]) -> None:
        """See to it that rows of these moments find a place; in a transaction of its own, if there is work to do."""
        ...
