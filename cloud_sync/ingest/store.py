"""Stores a batch of messages in the caller's transaction. Idempotent: the same message again changes nothing."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Table

from cloud_sync.ingest import ledger, repeats
from cloud_sync.ingest.clocks import Clocks
from cloud_sync.ingest.database import tables_of
from cloud_sync.ingest.devices import last_seen, store_words
from cloud_sync.ingest.gathered import Gathered, columns_of, newest_of, single_of
from cloud_sync.ingest.inbox import Incoming, Refused
from cloud_sync.ingest.quarantine import set_aside
from cloud_sync.ingest.schema import (
    event,
    evidence,
    measure,
    merged_window,
    rollup,
    shed,
    shed_range,
    shed_window,
)
from cloud_sync.ingest.statements import key_of
from cloud_sync.ingest.streams import (
    COPIED,
    DIFFERENT,
    Stream,
    ask_for_new,
    claim,
    hear_birth,
    mark,
    read,
    with_several,
)
from cloud_sync.ingest.tables import Clash, Range, Tables
from cloud_sync.wire import AckMessage, BirthMessage, Box, ClockMessage, Envelope

Acks = dict[Box, list[AckMessage]]

_STREAM = re.compile(r"[0-9a-f]{32}")


def store(connection: Connection, batch: Iterable[Incoming | Refused], *, now_ms: int) -> Acks:
    """Store a batch; return what to tell the boxes once the transaction has committed.

    Args:
        connection: In a fresh write transaction; nothing may be acknowledged to anybody before it has committed.
        batch: In the order of arrival.
        now_ms: UTC.
    """
    work = _Work(connection, tables_of(connection), now_ms)
    items = list(batch)
    incoming = [item for item in items if isinstance(item, Incoming)]
    refused = [item for item in items if isinstance(item, Refused)]
    work.gathered.refused += refused
    if incoming or any(item.message is not None for item in refused):
        work.open(incoming, refused)
        work.write()
        store_words(connection, incoming, now_ms)
    set_aside(connection, work.gathered.refused, now_ms)
    return work.acks()


@dataclass(slots=True)
class _Work:
    """One batch on its way into the database."""

    connection: Connection
    tables: Tables
    now_ms: int
    gathered: Gathered = field(default_factory=Gathered)
    streams: dict[str, Stream] = field(default_factory=dict)
    held: ledger.Held = field(default_factory=dict)
    copied: set[tuple[Box, str]] = field(default_factory=set)  # boxes on a stream of another
    born: set[str] = field(default_factory=set)  # streams that a birth message names
    sources: dict[tuple[str, int], Incoming] = field(default_factory=dict)
    refusals: list[AckMessage] = field(default_factory=list)
    clocks: Clocks = field(init=False)

    def __post_init__(self) -> None:
        """Know no clock yet."""
        self.clocks = Clocks(self.connection, self.tables)

    def open(self, incoming: list[Incoming], refused: list[Refused]) -> None:
        """Lock the boxes, find out whose the streams are, and take in what they sent."""
        told = [(item.message, item.reason) for item in refused if item.message is not None]
        heard = [*incoming, *(item for item, _ in told)]
        self.tables.lock_boxes(self.connection, last_seen(heard, self.now_ms))
        users: dict[str, Box] = {}
        for item in heard:
            if (stream := _stream_of(item)) is not None:
                users.setdefault(stream, item.box)
        if users:
            self.streams = claim(self.connection, self.tables, users, self.now_ms)
        kept = {item.message.stream for item in incoming if isinstance(item.message, BirthMessage)} - set(users)
        self.streams |= read(self.connection, kept)
        births = [item for item in incoming if isinstance(item.message, BirthMessage)]
        data = [item for item in incoming if isinstance(item.message, Envelope)]
        self.clocks.recall({item.box for item in data})
        # Births first, wherever they are in the batch: data that came after one must not speak against it. And words on
        # clocks before what was told by these.
        for item in [*births, *sorted(data, key=lambda item: not isinstance(item.message, ClockMessage))]:
            self._take(item)
        for item, reason in told:
            self._refuse(item, reason)

    def _refuse(self, item: Incoming, reason: str) -> None:
        """Let a box know of a message that is set aside, if it is of the box's own stream."""
        message = item.message
        if not isinstance(message, Envelope):
            return
        if self.streams[message.stream].owner != item.box:
            self.copied.add((item.box, message.stream))
        else:
            self.refusals.append(ledger.refusal(message, reason))

    def _take(self, item: Incoming) -> None:
        message = item.message
        stream = _stream_of(item)
        if stream is None:
            if isinstance(message, BirthMessage):
                self._hear_kept(item.box, message)
            return
        known = self.streams[stream]
        if known.owner != item.box:
            self.copied.add((item.box, stream))
            if isinstance(message, Envelope):
                reason = f"stream {stream} belongs to {known.owner.site}/{known.owner.device}"
                self.gathered.refused.append(Refused(item.arrived, reason))
        elif isinstance(message, BirthMessage):
            self.born.add(stream)
            hear_birth(self.connection, known, message, self.now_ms)
        elif isinstance(message, Envelope):
            first = self.sources.setdefault((message.stream, message.seq), item)
            if repeats.differ(first, item):
                self._set_aside_different(message.stream, message.seq, item)
                return
            if isinstance(message, ClockMessage):
                self.clocks.hear(item.box, message)
            corrected = self.clocks.corrected(item.box, message)
            self.gathered.add(item, corrected, database=known.database)

    def _hear_kept(self, box: Box, birth: BirthMessage) -> None:
        """Hear what the broker had kept: it makes no claim to a stream, and its box may be away."""
        known = self.streams.get(birth.stream)
        if known is not None and known.owner == box:
            hear_birth(self.connection, known, birth, self.now_ms)

    def write(self) -> None:
        """Write what was taken in: windows, the rows of the smaller tables, and last the ledger."""
        ranges = ledger.merged(self.gathered.ranges)
        held = self.tables.touching(self.connection, ranges)
        self._write_windows(self.clocks.write())
        for table in (event, evidence):
            self._write_single(table, held)
        for table in (shed, shed_range, shed_window):
            rows = single_of(self.gathered.rows.get(table, ()), key_of(table))
            self.tables.put(self.connection, table, columns_of(rows), Clash.KEEP)
        if ranges:
            self.held = ledger.add(self.connection, self.tables, ranges, held)

    def acks(self) -> Acks:
        """Return what to tell each box."""
        acks: Acks = defaultdict(list)
        for box, stream in sorted(self.copied, key=lambda pair: pair[1]):
            acks[box].append(ask_for_new(stream, COPIED))
        for stream in dict.fromkeys([*self.gathered.brought, *sorted(self.born)]):
            known, brought = self.streams[stream], self.gathered.brought.get(stream)
            if known.remint is not None:
                acks[known.owner].append(ask_for_new(stream, known.remint))
            elif brought is not None:
                acks[known.owner].append(ledger.ack(stream, self.held[stream], brought))
        for ack in self.refusals:
            known = self.streams[ack.stream]
            acks[known.owner].append(ack if known.remint is None else ask_for_new(ack.stream, known.remint))
        return dict(acks)

    def _write_windows(self, moved: list[tuple[str, str, int, int]]) -> None:
        """Write windows, and remove what longer ones replace, also where a corrected clock has moved some."""
        gathered = self.gathered
        for table, columns in gathered.windows.items():
            self.tables.make_room(self.connection, table, columns["start"])
            self.tables.put(self.connection, table, newest_of(columns, key_of(table)), Clash.REVISE)
        if not (gathered.spans or moved):
            return
        long = sorted(gathered.long)
        if long:
            windows = columns_of([window._asdict() for window in long])
            self.tables.put(self.connection, merged_window, windows, Clash.KEEP)
        spans = [*moved, *((box.site, box.device, *span) for box, span in gathered.spans.items())]
        around = self.tables.merged_within(self.connection, spans)
        for table in (rollup, measure):
            self.tables.remove_replaced(self.connection, table, around)

    def _write_single(self, table: Table, held: list[Range]) -> None:
        """Write events or pictures; a number that was used for another one shows that a stream has two histories."""
        single = single_of(self.gathered.rows.get(table, ()), ("stream", "seq"))
        if not single:
            return
        boxes = {Box(row["site"], row["device"]) for row in single}
        several = with_several(self.connection, boxes)
        found = repeats.sort(self.connection, table, single, held, several)
        for row in found.different:
            self._set_aside_different(row["stream"], row["seq"], self.sources[row["stream"], row["seq"]])
        if found.fresh:
            fresh = columns_of(found.fresh)
            if table is evidence:
                self.tables.make_room(self.connection, table, fresh["at_ms"])
            self.tables.put(self.connection, table, fresh, Clash.KEEP)

    def _set_aside_different(self, stream: str, seq: int, item: Incoming) -> None:
        mark(self.connection, stream, self.streams[stream], DIFFERENT)
        self.gathered.refused.append(Refused(item.arrived, f"seq {seq} of its stream had another content before"))


def _stream_of(item: Incoming) -> str | None:
    """Return the stream that a message is about, if it is one that counts."""
    message = item.message
    if isinstance(message, Envelope):
        return message.stream
    if isinstance(message, BirthMessage) and not item.arrived.retain and _STREAM.fullmatch(message.stream):
        return message.stream
    return None
