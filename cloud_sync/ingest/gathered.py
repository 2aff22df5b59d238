"""What a batch of messages comes to, a column at a time, before it is written in as few statements as possible."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from typing import Any

from sqlalchemy import Table

from cloud_sync.ingest.inbox import Incoming, Refused
from cloud_sync.ingest.schema import LONG_S, event, evidence, measure, rollup, shed, shed_range, shed_window
from cloud_sync.ingest.tables import Columns, Range, Window
from cloud_sync.wire import (
    Box,
    Envelope,
    EventMessage,
    EvidenceMessage,
    MeasureColumns,
    RollupColumns,
    RollupMessage,
    ShedMessage,
)
from cloud_sync.wire import MeasureRow as Measure
from cloud_sync.wire import RollupRow as Rollup

WINDOW_FIELDS = {rollup: Rollup._fields, measure: Measure._fields}


@dataclass(slots=True)
class Gathered:
    """Columns of the rows of each table, and what the ledger is to hear."""

    windows: dict[Table, dict[str, list[Any]]] = field(default_factory=dict)  # of rollup and measure
    rows: dict[Table, list[dict[str, Any]]] = field(default_factory=dict)  # of the tables with few rows
    ranges: list[Range] = field(default_factory=list)
    brought: dict[str, list[int]] = field(default_factory=dict)  # by stream: one seq of each message
    spans: dict[Box, tuple[int, int]] = field(default_factory=dict)  # first and last start of its windows
    long: set[Window] = field(default_factory=set)
    owners: dict[str, Box] = field(default_factory=dict)  # by stream
    refused: list[Refused] = field(default_factory=list)

    def add(self, item: Incoming, message: Envelope, *, database: int) -> None:
        """Take in one data message of the box that its stream belongs to, and of one of its databases."""
        origin = {"site": item.box.site, "device": item.box.device, "stream": message.stream, "boot": message.boot}
        match message:
            case RollupMessage():
                of_window = {**origin, "database": database}
                self._add_windows(rollup, item.box, message.columns, of_window)
                if message.measures is not None:
                    self._add_windows(measure, item.box, message.measures, of_window)
            case EventMessage():
                self._add_row(event, {**origin, "channel": item.channel.value, **_values(message)})
            case EvidenceMessage():
                self._add_row(evidence, {**origin, **_values(message)})
            case ShedMessage():
                self._add_shed(item.box, message, origin)
        self.owners[message.stream] = item.box
        self.ranges.append(Range(message.stream, message.seq, message.last_seq))
        self.brought.setdefault(message.stream, []).append(message.seq)

    def _add_windows(
        self, table: Table, box: Box, columns: RollupColumns | MeasureColumns, origin: dict[str, Any]
    ) -> None:
        if not columns.start:
            return
        names = WINDOW_FIELDS[table]
        into = self.windows.setdefault(table, {name: [] for name in (*names, *origin)})
        starts = list(accumulate(columns.start))
        for name in names:
            into[name].extend(starts if name == "start" else getattr(columns, name))
        for name, value in origin.items():
            into[name].extend(repeat(value, len(starts)))
        first, last = self.spans.get(box, (starts[0], starts[0]))
        self.spans[box] = (min(first, *starts), max(last, *starts))
        if not set(columns.length).isdisjoint(LONG_S):
            windows = zip(starts, columns.length, columns.camera, strict=True)
            self.long.update(Window(box.site, box.device, *window) for window in windows if window[1] in LONG_S)

    def _add_row(self, table: Table, row: dict[str, Any]) -> None:
        self.rows.setdefault(table, []).append(row)

    def _add_shed(self, box: Box, message: ShedMessage, origin: dict[str, Any]) -> None:
        self._add_row(shed, {**origin, **_values(message)})
        for first, end in message.ranges:
            last = min(end, message.seq - 1)  # a record tells of entries that were there before it
            if first <= last:
                self._add_row(shed_range, {"stream": message.stream, "first": first, "last": last, "seq": message.seq})
                self.ranges.append(Range(message.stream, first, last))
        if message.windows is not None:
            starts = accumulate(message.windows.start)
            about = {"site": box.site, "device": box.device, "stream": message.stream, "seq": message.seq}
            for camera, start, length in zip(message.windows.camera, starts, message.windows.length, strict=True):
                self._add_row(shed_window, {**about, "camera": camera, "start": start, "length": length})


def _values(message: Envelope) -> dict[str, Any]:
    """Return the fields of a message that have a column of their own name; ``data`` as JSON."""
    table = {EventMessage: event, EvidenceMessage: evidence, ShedMessage: shed}[type(message)]
    values = {name: getattr(message, name) for name in type(message).model_fields if name in table.c}
    return {**values, "data": json.dumps(values["data"])} if "data" in values else values


def single_of(rows: Iterable[dict[str, Any]], key: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows in their order; of those with the same key the first alone."""
    single: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        single.setdefault(tuple(row[name] for name in key), row)
    return list(single.values())


def columns_of(rows: Sequence[dict[str, Any]]) -> Columns:
    """Return rows of the same names as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def newest_of(columns: Columns, key: Sequence[str]) -> Columns:
    """Return windows as they are if no key occurs twice, and else the highest revision of each, the first of equals."""
    keys = list(zip(*(columns[name] for name in key), strict=True))
    if len(set(keys)) == len(keys):
        return columns
    best: dict[tuple[Any, ...], int] = {}
    revisions = columns["revision"]
    for index, one in enumerate(keys):
        if one not in best or revisions[index] > revisions[best[one]]:
            best[one] = index
    return {name: [values[index] for index in best.values()] for name, values in columns.items()}
