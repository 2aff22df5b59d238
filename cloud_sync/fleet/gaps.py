"""What has not come of each box, and what its cameras did in each hour."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cloud_sync.errors import SyncFatalError
from cloud_sync.fleet import seqs
from cloud_sync.fleet.history import BoxHistory, boxes
from cloud_sync.fleet.hours import Hour, Known, classify
from cloud_sync.fleet.seqs import Range
from cloud_sync.fleet.spans import Span, union
from cloud_sync.ingest.database import one_line
from cloud_sync.wire import Box

STARTED, STOPPED = "agent-started", "agent-stopped"
CAMERA_STATE, CAMERA_SIGHT = "camera-state", "camera-sight"
GAPS_PLACED = 500
"""Gaps of one stream whose time is looked up; where there are more, neighbours are taken together."""


@dataclass(frozen=True, slots=True)
class StreamGaps:
    """One stream of a box. A box begins a new one with a new database, or when the cloud asks for it."""

    id: str
    first_seen_ms: int  # by the cloud's clock
    began_ms: int | None  # by the box's clock; None: no event of it has come
    remint: str | None  # why the cloud asked for another stream: what had not come, comes in that one
    last: int  # highest seq that came
    entries: int  # that came
    given_up: tuple[Range, ...]  # never come, by the box's own word
    missing: tuple[Range, ...]  # may yet come


@dataclass(frozen=True, slots=True)
class UnsetClock:
    """A boot of a box whose clock was not set: its rows are where an estimate put them."""

    stream: str
    boot: int
    from_ms: int  # it was not before
    to_ms: int | None  # nor after; None: not known yet


@dataclass(frozen=True, slots=True)
class BoxGaps:
    """One box."""

    box: Box
    state: str | None
    last_seen_ms: int | None
    streams: tuple[StreamGaps, ...]  # oldest first
    cameras: dict[str, list[Hour]]
    clocks: tuple[UnsetClock, ...] = ()  # by time


def gaps_of_boxes(
    engine: Engine, asked: Span, *, now_ms: int, site: str | None = None, device: str | None = None
) -> Iterator[BoxGaps]:
    """Yield the boxes of a database, one after the other.

    Args:
        engine: For reading.
        asked: From when to when the hours of cameras are told; streams are told whole.
        now_ms: Nothing is told of the future.
        site: Only of this site.
        device: Only boxes of this name.

    Raises:
        SyncFatalError: The database cannot be read.
    """
    asked = (asked[0], min(asked[1], now_ms))
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")  # a look at a box is of one moment
    try:
        with engine.connect() as connection:
            found = boxes(connection, site=site, name=device)
        for box in found:
            with engine.connect() as connection:
                gaps = _Look(box, BoxHistory(connection, box), asked, now_ms).gaps()
            yield gaps
    except DBAPIError as error:
        raise SyncFatalError(f"the database cannot be read: {one_line(error)}") from error


class _Look:
    """At one box, in one transaction."""

    def __init__(self, box: Box, history: BoxHistory, asked: Span, now_ms: int) -> None:
        self._box, self._history, self._asked, self._now_ms = box, history, asked, now_ms
        self._told = history.told()
        self._cameras = sorted(history.cameras() | set(self._told.birth.get("cameras", ())))

    def gaps(self) -> BoxGaps:
        streams = [self._stream(row) for row in self._history.streams()]
        missing = union(self._missing(streams))
        off = union(self._off())
        cameras = {name: self._hours(name, off, missing) for name in self._cameras}
        clocks = tuple(self._clock(row) for row in self._history.clocks())
        return BoxGaps(self._box, self._told.state, self._told.last_seen_ms, tuple(streams), cameras, clocks)

    def _clock(self, row: Any) -> UnsetClock:
        return UnsetClock(row.stream, row.boot, row.from_ms, row.to_ms if row.state == "between" else None)

    def _stream(self, row: Any) -> StreamGaps:
        received = list(self._history.received(row.id))
        given_up = self._history.given_up(row.id)
        born = self._told.birth.get("stream") == row.id
        missing = seqs.gaps(received, next_seq=self._told.birth.get("next_seq") if born else None)
        return StreamGaps(
            id=row.id,
            first_seen_ms=row.first_seen_ms,
            began_ms=self._history.began_ms(row.id),
            remint=row.remint,
            last=received[-1][1] if received else 0,
            entries=seqs.count(received) - seqs.count(given_up),
            given_up=tuple(given_up),
            missing=() if row.remint else tuple(missing),
        )

    def _off(self) -> Iterator[Span]:
        """Yield when the agent was stopped, by its own word. A start that was no such stop's followed a crash."""
        events = self._history.events((STARTED, STOPPED), self._asked)
        for number, stop in enumerate(events):
            if stop.kind != STOPPED:
                continue
            # By number, not by time: a box without a clock starts in 1970, and then nobody knows how long it was off.
            end_ms = self._history.next_of(STARTED, stop.stream, stop.seq)
            if end_ms is None:
                later = (event.at_ms for event in events[number + 1 :] if event.kind == STARTED)
                end_ms = next(later, self._asked[1])
            yield stop.at_ms, end_ms

    def _hours(self, camera: str, off: list[Span], missing: list[Span]) -> list[Hour]:
        gone, to_come = self._history.shed(camera, self._asked)
        states, sights = (
            [(row.at_ms, state_of(row.data)) for row in self._history.events((kind,), self._asked, camera=camera)]
            for kind in (CAMERA_STATE, CAMERA_SIGHT)
        )
        known = Known(off=off, shed=union(gone), missing=union([*missing, *to_come]), states=states, sights=sights)
        return list(classify(self._asked, self._history.windows(camera, self._asked), known))

    def _missing(self, streams: Sequence[StreamGaps]) -> Iterator[Span]:
        """Yield the time of which entries may yet come: what lies in gaps, and what a box has not told yet."""
        for index, stream in enumerate(streams):
            later = streams[index + 1] if index + 1 < len(streams) else None
            end_ms = self._now_ms if later is None else _begin(later)
            known_ms, window_ms = self._last_known(end_ms)
            if self._history.last_event_kind(stream.id) != STOPPED:
                yield known_ms, end_ms
            floor_ms = self._last_known(_begin(stream))[0] if index else self._asked[0]
            for first, last in _grouped(stream.missing):
                before_ms, after_ms = self._history.bounds(stream.id, first, last)
                # A window is told when it is over: what came just before the gap may be of a time just after it.
                begin_ms = floor_ms if before_ms is None else before_ms - window_ms
                yield begin_ms, end_ms if after_ms is None else after_ms

    def _last_known(self, before_ms: int) -> tuple[int, int]:
        """Return up to when anything is known that was made before a time, and how long the windows were then."""
        ends = [self._history.last_event_ms(before_ms) or self._asked[0]]
        lengths = [0]
        for camera in self._cameras:
            window = self._history.last_window(camera, before_ms)
            if window is not None:
                ends.append(window[1])
                lengths.append(window[1] - window[0])
        return min(max(ends), before_ms), max(lengths)


def _begin(stream: StreamGaps) -> int:
    return stream.first_seen_ms if stream.began_ms is None else stream.began_ms


def _grouped(missing: Sequence[Range]) -> Iterator[Range]:
    size = -(-len(missing) // GAPS_PLACED) or 1
    for at in range(0, len(missing), size):
        group = missing[at : at + size]
        yield group[0][0], group[-1][1]


def state_of(data: str) -> str:
    """Return the state that an event about a camera, or about its sight, tells."""
    return str(json.loads(data).get("state", "unknown"))
