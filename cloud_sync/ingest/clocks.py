"""Puts right what boxes told by clocks that were wrong: what is stored, and what still comes.

A box numbers each setting of its clock (``boot``), and says later by what the times of a boot were off. Its messages
stay as they were made, whenever they come; here the one word is added to all of them. So the order does not matter,
and neither does what comes twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, delete, func, select, tuple_, update

from cloud_sync.ingest.gathered import columns_of
from cloud_sync.ingest.schema import (
    LONG_S,
    clock,
    event,
    evidence,
    measure,
    merged_window,
    rollup,
    shed,
    shed_window,
    stream,
)
from cloud_sync.ingest.tables import Clash, Tables, Window
from cloud_sync.wire import (
    Box,
    ClockMessage,
    Envelope,
    EventMessage,
    EvidenceMessage,
    MeasureColumns,
    RollupColumns,
    RollupMessage,
    ShedMessage,
    WindowColumns,
)

C = TypeVar("C", RollupColumns, MeasureColumns, WindowColumns)

Key = tuple[str, int]
"""A stream, and a boot."""
TOLD = ("seq", "state", "at_ms", "from_ms", "to_ms", "shift_ms", "window_shift_s")
SHED_MOMENTS = ("at_ms", "oldest_ms", "newest_ms")

MOVED_AT_ONCE_S = 86_400
"""What is stored is moved a day at a time: memory does not grow with it."""
EARLIER_S = 86_400  # the longest window: one that begins so long before the first moment may hold that


@dataclass(frozen=True, slots=True)
class Word:
    """The newest word on the clock of a boot."""

    box: Box
    stream: str
    boot: int
    seq: int
    state: str
    at_ms: int
    from_ms: int
    to_ms: int
    shift_ms: int
    window_shift_s: int

    def speaks_of(self, at_ms: int) -> bool:
        """Tell whether a moment, as it was told, is by the clock of that boot: a record of losses tells several."""
        return self.from_ms - EARLIER_S * 1000 <= at_ms <= self.to_ms


@dataclass(slots=True)
class Clocks:
    """The words on the clocks of the boxes of one batch."""

    connection: Connection
    tables: Tables
    known: dict[Key, Word] = field(default_factory=dict)  # before this batch
    heard: dict[Key, Word] = field(default_factory=dict)  # in this batch, where it is news
    of_box: dict[Box, dict[str, int]] = field(default_factory=dict)  # by stream of a box: the number of its database

    def recall(self, boxes: Iterable[Box]) -> None:
        """Read what is known of these boxes, which are locked."""
        names = [(box.site, box.device) for box in boxes]
        query = select(clock).where(tuple_(clock.c.site, clock.c.device).in_(names))
        for row in self.connection.execute(query).mappings():
            self.known[row["stream"], row["boot"]] = _word(row)

    def hear(self, box: Box, message: ClockMessage) -> None:
        """Take in a word; an older one than what is known is no news."""
        key = message.stream, message.of_boot
        before = self.heard.get(key, self.known.get(key))
        if before is None or before.seq < message.seq:
            values = {name: getattr(message, name) for name in TOLD}
            self.heard[key] = Word(box, message.stream, message.of_boot, **values)

    def corrected(self, box: Box, message: Envelope) -> Envelope:
        """Return a message as it would be if the clock of its boot had been right."""
        if not (self.known or self.heard):
            return message
        words = {**self.known, **self.heard}
        for stream_id in self.streams_of(box, message.stream):
            word = words.get((stream_id, message.boot))
            if word is not None and word.state == "set":
                return _shifted(message, word)
        return message

    def streams_of(self, box: Box, own: str) -> list[str]:
        """Return the streams of one database of a box, this one first; those that it was asked to leave are of it."""
        if box not in self.of_box:
            query = select(stream.c.id, stream.c.database).where(
                stream.c.site == box.site, stream.c.device == box.device
            )
            self.of_box[box] = {row.id: row.database for row in self.connection.execute(query)}
        databases = self.of_box[box]
        return [own, *sorted(one for one in databases if one != own and databases[one] == databases.get(own))]

    def write(self) -> list[tuple[str, str, int, int]]:
        """Store what was heard, and move what is stored; return where windows went: (site, device, first, last)."""
        spans = []
        for key, word in self.heard.items():
            streams = self.streams_of(word.box, word.stream)
            spans += _Moving(self.connection, self.tables, word, self.known.get(key), streams).move()
        rows = [
            {"site": word.box.site, "device": word.box.device, "stream": word.stream, "boot": word.boot}
            | {name: getattr(word, name) for name in TOLD}
            for word in self.heard.values()
        ]
        if rows:
            self.tables.put(self.connection, clock, columns_of(rows), Clash.REPLACE)
        return spans


def _word(row: RowMapping) -> Word:
    values = dict(row)
    return Word(Box(values.pop("site"), values.pop("device")), **values)


def _shifted(message: Envelope, word: Word) -> Envelope:
    """Return a message with the word added to its times that are of that boot; nothing else changes."""
    match message:
        case RollupMessage():
            measures = None if message.measures is None else _windows_shifted(message.measures, word)
            return message.model_copy(update={"columns": _windows_shifted(message.columns, word), "measures": measures})
        case ShedMessage():
            windows = None if message.windows is None else _windows_shifted(message.windows, word)
            return message.model_copy(update={**_moments(message, word, SHED_MOMENTS), "windows": windows})
        case EventMessage() | EvidenceMessage():
            return message.model_copy(update=_moments(message, word, ("at_ms",)))
        case _:
            return message


def _moments(message: Envelope, word: Word, names: Sequence[str]) -> dict[str, int]:
    told_ms = {name: int(getattr(message, name)) for name in names}
    return {name: at_ms + word.shift_ms * word.speaks_of(at_ms) for name, at_ms in told_ms.items()}


def _windows_shifted(columns: C, word: Word) -> C:
    """The first start is absolute, the others are differences."""
    if not columns.start or not word.speaks_of(columns.start[0] * 1000):
        return columns
    return columns.model_copy(update={"start": (columns.start[0] + word.window_shift_s, *columns.start[1:])})


class _Moving:
    """Moves what is stored of one boot by what its newest word says more than the one before."""

    def __init__(
        self, connection: Connection, tables: Tables, word: Word, before: Word | None, streams: Sequence[str]
    ) -> None:
        self._connection, self._tables, self._word, self._streams = connection, tables, word, streams
        was_ms, was_s = (before.shift_ms, before.window_shift_s) if before is not None else (0, 0)
        self._shift_ms, self._shift_s = word.shift_ms - was_ms, word.window_shift_s - was_s
        # Where the times of that boot are now: as they were told, and moved by the word before.
        self._span_s = (word.from_ms // 1000 + was_s - EARLIER_S, word.to_ms // 1000 + was_s + 1)

    def move(self) -> list[tuple[str, str, int, int]]:
        """Return where windows went, if any did."""
        if not (self._shift_ms or self._shift_s):
            return []
        self._move_moments()
        self._move_told_windows()
        moved = [self._move_windows(table) for table in (rollup, measure)]
        if not any(moved):
            return []
        first, last = self._span_s
        return [(self._word.box.site, self._word.box.device, first + self._shift_s, last + self._shift_s)]

    def _of_boot(self, table: Table) -> ColumnElement[bool]:
        c = table.c
        box = self._word.box
        return and_(c.site == box.site, c.device == box.device, c.boot == self._word.boot, c.stream.in_(self._streams))

    def _move_moments(self) -> None:
        first_ms, last_ms = (end * 1000 for end in self._span_s)
        in_evidence = select(func.distinct(evidence.c.at_ms)).where(self._of_boot(evidence))
        pictures = list(self._connection.execute(in_evidence).scalars())
        self._tables.make_room(self._connection, evidence, [at_ms + self._shift_ms for at_ms in pictures])
        for table, names in ((event, ("at_ms",)), (evidence, ("at_ms",)), (shed, SHED_MOMENTS)):
            for name in names:
                of_boot = (self._of_boot(table), table.c[name].between(first_ms, last_ms))
                self._connection.execute(update(table).where(*of_boot).values({name: table.c[name] + self._shift_ms}))

    def _move_told_windows(self) -> None:
        """Move the windows that records of losses name."""
        w = shed_window.c
        records = select(shed.c.stream, shed.c.seq).where(self._of_boot(shed))
        of_boot = and_(tuple_(w.stream, w.seq).in_(records), w.start.between(*self._span_s))
        rows = [dict(row) for row in self._connection.execute(select(shed_window).where(of_boot)).mappings()]
        if rows:
            self._connection.execute(delete(shed_window).where(of_boot))
            moved = [{**row, "start": row["start"] + self._shift_s} for row in rows]
            self._tables.put(self._connection, shed_window, columns_of(moved), Clash.KEEP)

    def _move_windows(self, table: Table) -> int:
        """Move rows, a day at a time, from the end to which they go; return how many."""
        moved = 0
        for first, end in self._days(table):
            here = (self._of_boot(table), table.c.start >= first, table.c.start < end)
            rows = [dict(row) for row in self._connection.execute(select(table).where(*here)).mappings()]
            if rows:
                self._connection.execute(delete(table).where(*here))
                self._put(table, [{**row, "start": row["start"] + self._shift_s} for row in rows])
                moved += len(rows)
        return moved

    def _days(self, table: Table) -> Sequence[tuple[int, int]]:
        """Return the days in which the boot has windows of a table, in the order in which they are moved."""
        start = table.c.start
        within = (self._of_boot(table), start.between(*self._span_s))
        first, last = self._connection.execute(select(func.min(start), func.max(start)).where(*within)).one()
        if first is None:
            return []
        days = [(begin, begin + MOVED_AT_ONCE_S) for begin in range(first, last + 1, MOVED_AT_ONCE_S)]
        return days[::-1] if self._shift_s > 0 else days

    def _put(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Store moved windows; where the box has told one of that place since, the higher revision holds both."""
        columns = columns_of(rows)
        self._tables.make_room(self._connection, table, columns["start"])
        self._tables.put(self._connection, table, columns, Clash.REVISE)
        long = {
            Window(row["site"], row["device"], row["start"], row["length"], row["camera"])
            for row in rows
            if row["length"] in LONG_S
        }
        if long:
            windows = columns_of([window._asdict() for window in sorted(long)])
            self._tables.put(self._connection, merged_window, windows, Clash.KEEP)
