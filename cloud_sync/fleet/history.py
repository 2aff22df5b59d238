"""What the cloud's database knows of one box, asked by its keys and indexes: no query reads more than it returns."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, union_all

from cloud_sync.fleet.hours import Window
from cloud_sync.fleet.spans import Span
from cloud_sync.ingest.schema import (
    LONG_S,
    clock,
    device,
    event,
    merged_window,
    received,
    rollup,
    shed,
    shed_range,
    shed_window,
    stream,
)
from cloud_sync.ranges import merge
from cloud_sync.wire import Box

READ_ROWS = 1000
LONGEST_MS = LONG_S[-1] * 1000


@dataclass(frozen=True, slots=True)
class Told:
    """How a box showed itself last."""

    state: str | None
    last_seen_ms: int | None
    birth: dict[str, Any]  # empty: none came


def boxes(connection: Connection, *, site: str | None, name: str | None) -> list[Box]:
    """Return the names of the boxes, in order."""
    c = device.c
    query = select(c.site, c.device).order_by(c.site, c.device)
    query = query if site is None else query.where(c.site == site)
    query = query if name is None else query.where(c.device == name)
    return [Box(row.site, row.device) for row in connection.execute(query)]


class BoxHistory:
    """Reads of one box in one transaction. Times are milliseconds of UTC."""

    def __init__(self, connection: Connection, box: Box) -> None:
        self._connection = connection
        self._box = box

    def _of_box(self, table: Any) -> Any:
        return and_(table.c.site == self._box.site, table.c.device == self._box.device)

    def told(self) -> Told:
        """Return what the box said of itself last."""
        query = select(device.c.state, device.c.last_seen_ms, device.c.birth).where(self._of_box(device))
        row = self._connection.execute(query).one()
        return Told(row.state, row.last_seen_ms, json.loads(row.birth) if row.birth else {})

    def streams(self) -> list[Any]:
        """Return id, first_seen_ms and remint of each stream, oldest first."""
        c = stream.c
        query = select(c.id, c.first_seen_ms, c.remint).where(self._of_box(stream))
        return list(self._connection.execute(query.order_by(c.first_seen_ms, c.id)))

    def clocks(self) -> list[Any]:
        """Return stream, boot, state, from_ms and to_ms of the boots whose clock was not set, oldest first."""
        c = clock.c
        query = select(c.stream, c.boot, c.state, c.from_ms, c.to_ms).where(self._of_box(clock), c.state != "set")
        return list(self._connection.execute(query.order_by(c.from_ms, c.boot)))

    def received(self, stream_id: str) -> Iterator[Span]:
        """Yield the ranges of seqs that came or were given up, ascending, both ends included."""
        c = received.c
        query = select(c.first, c.last).where(c.stream == stream_id).order_by(c.first)
        for row in self._rows(query):
            yield row.first, row.last

    def given_up(self, stream_id: str) -> list[Span]:
        """Return the ranges of seqs that never come, by the box's own word."""
        c = shed_range.c
        query = select(c.first, c.last).where(c.stream == stream_id).order_by(c.first)
        return merge((row.first, row.last) for row in self._connection.execute(query))

    def began_ms(self, stream_id: str) -> int | None:
        """Return when the oldest event of a stream was, by the box's clock."""
        query = select(event.c.at_ms).where(event.c.stream == stream_id).order_by(event.c.seq).limit(1)
        return self._connection.execute(query).scalar()

    def last_event_kind(self, stream_id: str) -> str | None:
        """Return what kind of event was the last of a stream, by seq."""
        c = event.c
        query = select(c.kind).where(c.stream == stream_id).order_by(c.seq.desc()).limit(1)
        return self._connection.execute(query).scalar()

    def bounds(self, stream_id: str, first: int, last: int) -> tuple[int | None, int | None]:
        """Return when the events beside a gap of seqs were: the last one before it, the first one after it."""
        return self._beside(stream_id, first, after=False), self._beside(stream_id, last, after=True)

    def _beside(self, stream_id: str, seq: int, *, after: bool) -> int | None:
        nearest = []
        for table in (event, shed):
            c = table.c
            beside = c.seq > seq if after else c.seq < seq
            order = c.seq if after else c.seq.desc()
            of_table = select(c.seq, c.at_ms).where(c.stream == stream_id, beside).order_by(order).limit(1)
            nearest.append(select(of_table.subquery()))
        rows = self._connection.execute(union_all(*nearest)).all()
        if not rows:
            return None
        return int((min if after else max)(rows, key=lambda row: row.seq).at_ms)

    def cameras(self) -> set[str]:
        """Return the cameras of which windows are here, from one key to the next."""
        found: set[str] = set()
        for table in (rollup, shed_window):
            of_box = select(func.min(table.c.camera)).where(self._of_box(table))
            name = self._connection.execute(of_box).scalar()
            while name is not None:
                found.add(name)
                name = self._connection.execute(of_box.where(table.c.camera > name)).scalar()
        return found

    def windows(self, camera: str, asked: Span) -> Iterator[Window]:
        """Yield the camera's windows that reach into ``asked``, ascending by start."""
        for row in self._rows(self._windows(camera, asked).order_by(rollup.c.start)):
            if (row.start + row.length) * 1000 > asked[0]:
                yield Window(row.start * 1000, row.length * 1000, row.observed_ms)

    def _windows(self, camera: str, asked: Span) -> Select[Any]:
        c = rollup.c
        return select(c.start, c.length, c.observed_ms).where(
            self._of_box(rollup),
            c.camera == camera,
            c.start > (asked[0] - LONGEST_MS) // 1000,
            c.start < -(-asked[1] // 1000),
            c.zone == "*",
            c.class_name == "*",
        )

    def last_window(self, camera: str, before_ms: int) -> Span | None:
        """Return begin and end of the last ordinary window that began before a time."""
        c = rollup.c
        before = c.start < -(-before_ms // 1000)
        query = select(c.start, c.length).where(self._of_box(rollup), c.camera == camera, before)
        row = self._connection.execute(query.where(c.length.not_in(LONG_S)).order_by(c.start.desc()).limit(1)).first()
        return None if row is None else (row.start * 1000, (row.start + row.length) * 1000)

    def last_event_ms(self, before_ms: int) -> int | None:
        """Return when the last event before a time was."""
        c = event.c
        query = select(func.max(c.at_ms)).where(self._of_box(event), c.at_ms < before_ms)
        return self._connection.execute(query).scalar()

    def events(self, kinds: tuple[str, ...], asked: Span, *, camera: str | None = None) -> list[Any]:
        """Return the events of these kinds in ``asked``, and the last one before, in order of time."""
        c = event.c
        query = select(c.stream, c.seq, c.at_ms, c.kind, c.data).where(self._of_box(event), c.kind.in_(kinds))
        query = query if camera is None else query.where(c.camera == camera)
        before = query.where(c.at_ms < asked[0]).order_by(c.at_ms.desc(), c.seq.desc()).limit(1)
        inside = query.where(c.at_ms >= asked[0], c.at_ms < asked[1]).order_by(c.at_ms, c.seq)
        return [*self._connection.execute(before), *self._connection.execute(inside)]

    def next_of(self, kind: str, stream_id: str, seq: int) -> int | None:
        """Return when the next event of a kind was, in the order in which the box numbered them."""
        c = event.c
        query = select(c.at_ms).where(c.stream == stream_id, c.seq > seq, c.kind == kind)
        return self._connection.execute(query.order_by(c.seq).limit(1)).scalar()

    def shed(self, camera: str, asked: Span) -> tuple[list[Span], list[Span]]:
        """Return the camera's windows that were given up: those gone, and those whose merged row is not here yet."""
        w, m = shed_window.c, merged_window.c
        came = and_(*(w[name] == m[name] for name in ("site", "device", "camera", "start", "length")))
        query = (
            select(w.start, w.length, shed.c.became, m.start.label("came"))
            .join(shed, and_(shed.c.stream == w.stream, shed.c.seq == w.seq))
            .outerjoin(merged_window, came)
            .where(
                self._of_box(shed_window),
                w.camera == camera,
                w.start > (asked[0] - LONGEST_MS) // 1000,
                w.start < -(-asked[1] // 1000),
            )
        )
        gone, to_come = [], []
        for row in self._rows(query):
            window = (row.start * 1000, (row.start + row.length) * 1000)
            if row.became == "nothing":
                gone.append(window)
            elif row.came is None:
                to_come.append(window)
        return gone, to_come

    def _rows(self, query: Select[Any]) -> Iterator[Any]:
        return iter(self._connection.execute(query, execution_options={"yield_per": READ_ROWS}))
