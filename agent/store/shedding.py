"""Keeps the outbox within its limits: what is worth least goes first, and each loss is on record.

Evidence first, then minutes are merged into hours, hours into days, and at last events go. Alarms, and the records of
what was given up, are never touched.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine

from agent.store.boots import corrections
from agent.store.merging import DAY_S, HOUR_S, Window, cameras_with, merge_windows, window_around
from agent.store.promises import promise
from agent.store.space import free_bytes
from agent.store.writer import Writer
from agent.types import Instant
from cloud_sync.outbox import (
    Depth,
    Entry,
    leave_unmerged,
    oldest_window,
    read_depth,
    set_aside,
    shed_merged,
    shed_oldest,
    windows_of,
)
from cloud_sync.wire import Channel, WindowRow

T = TypeVar("T")
log = structlog.get_logger()

LOW_WATER = 0.9
"""Shed down to this share of a limit, so that it does not start again a minute later."""
REST_S = 3600
"""A window is merged when it ended so long ago: the page shows the last hour, and late parts of it are rare by then."""
AHEAD_S = 60
WRITE_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the outbox, and of the disk on which it lies."""

    entries: int
    size_bytes: int
    disk_free_bytes: int
    # What waits in less is not given up for the disk's sake: somebody else fills it, and this would not save it.
    disk_spare_bytes: int = 16 * 1024 * 1024

    def met(self, depth: Depth, free_bytes: int | None, *, low_water: bool) -> str | None:
        """Name the limit that is passed: ``rows``, ``bytes`` or ``disk``; None where there is none.

        Args:
            depth: What waits.
            free_bytes: On the disk, and in the database; None where that is not known.
            low_water: Whether to go on until there is room again.
        """
        share = LOW_WATER if low_water else 1.0
        if depth.entries > share * self.entries:
            return "rows"
        if depth.size_bytes > share * self.size_bytes:
            return "bytes"
        is_full = free_bytes is not None and free_bytes < self.disk_free_bytes / share
        return "disk" if is_full and depth.size_bytes > self.disk_spare_bytes else None


class Shedder:
    """One thread calls it, now and then; each step is a transaction of its own on the one writer."""

    def __init__(
        self,
        read: Engine,
        writer: Writer,
        limits: Limits,
        *,
        now: Callable[[], Instant],
        disk_free: Callable[[], int | None],
    ) -> None:
        """Take what it works on; nothing runs yet.

        Args:
            read: For reading.
            writer: The box's writer.
            limits: What to keep to.
            now: The time.
            disk_free: Bytes free on the disk; None where it does not say.
        """
        self._read = read
        self._writer = writer
        self._limits = limits
        self._now = now
        self._disk_free = disk_free
        self._shedding = False
        self._exhausted = False
        self._gone = 0

    def shed(self, *, for_s: float) -> int:
        """Give up what must be while a limit is passed, for so long at most; return how many entries.

        Raises:
            RetryableError, DatabaseError: The database does not take it now; nothing is lost by that.
        """
        until_ns = self._now().monotonic_ns + round(for_s * 1e9)
        gone = 0
        while (reason := self._met()) and (step := self._step(reason)):
            gone += step
            self._gone += step
            if self._now().monotonic_ns >= until_ns:
                break
        return gone

    def _met(self) -> str | None:
        with self._read.connect() as connection:
            depth = read_depth(connection)
        # Pages that are free inside the database take new rows as well as the disk does.
        on_disk = self._disk_free()
        free = None if on_disk is None else on_disk + free_bytes(self._read)
        reason = self._limits.met(depth, free, low_water=self._shedding)
        if reason and not self._shedding:
            self._shedding = True
            log.warning("outbox_over_limit", limit=reason, entries=depth.entries, size_bytes=depth.size_bytes)
        elif not reason and self._shedding:
            log.info("outbox_within_limits", given_up=self._gone, entries=depth.entries, size_bytes=depth.size_bytes)
            self._shedding = self._exhausted = False
            self._gone = 0
        return reason

    def _step(self, reason: str) -> int:
        """Give up a little of what is worth least; return how many entries, 0 when nothing is left to give up."""
        now = self._now()
        for work in _stages(now, reason):
            if gone := self._write(work):
                return gone
        if not self._exhausted:
            self._exhausted = True
            log.error("outbox_cannot_shed", limit=reason, reason="only alarms, days and records of losses are left")
        return 0

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self._writer.submit(work).result(timeout=WRITE_TIMEOUT_S)


def _stages(now: Instant, reason: str) -> Iterator[Callable[[Connection], int]]:
    at_ms, boot = now.utc_ns // 1_000_000, now.boot

    def oldest(channel: Channel) -> Callable[[Connection], int]:
        return lambda connection: shed_oldest(connection, channel, at_ms=at_ms, boot=boot, reason=reason)

    def merge(length_s: int) -> Callable[[Connection], int]:
        return lambda connection: merge_oldest(connection, length_s, now=now, reason=reason)

    yield oldest(Channel.EVIDENCE)
    yield merge(HOUR_S)
    yield merge(DAY_S)
    yield oldest(Channel.EVENT)


def merge_oldest(connection: Connection, length_s: int, *, now: Instant, reason: str) -> int:
    """Put longer windows in the place of the entries with the earliest short ones; return how many entries are done.

    Hours or days that have just ended, or have not, are left alone; those in the future, where the clock has once been,
    are not.

    Args:
        connection: In a write transaction.
        length_s: Of the longer window: an hour or a day.
        now: For what ended, and for the entries.
        reason: Which limit was met.
    """
    now_s = now.utc_ns // 1_000_000_000
    entries = oldest_window(
        connection,
        length_s=length_s,
        spare_from_s=window_around(now_s - REST_S, length_s).start_s,
        spare_to_s=window_around(now_s + AHEAD_S, length_s).start_s + length_s,
    )
    sound = {entry: windows for entry in entries if (windows := _windows_or_aside(connection, entry, now))}
    if not sound:
        return len(entries)
    window = window_around(min(each.start for windows in sound.values() for each in windows), length_s)
    _replace(connection, sound, window, now=now, reason=reason)
    return len(entries)


def _windows_or_aside(connection: Connection, entry: Entry, now: Instant) -> set[WindowRow]:
    """Return the windows of an entry, by the clock that tells them now."""
    correction = corrections(connection).get(entry.boot)
    shift_s = 0 if correction is None else correction.window_shift_s
    try:
        windows = {each._replace(start=each.start + shift_s) for each in windows_of(entry)}
    except (ValueError, TypeError, KeyError):
        windows = set()
    if not windows:
        set_aside(connection, entry.seq, "not a valid rollup", at_ms=now.utc_ns // 1_000_000)
    return windows


def _replace(
    connection: Connection, entries: dict[Entry, set[WindowRow]], window: Window, *, now: Instant, reason: str
) -> None:
    """Merge what is stored, promise the result, and give the entries up, of cameras whose history holds the window."""
    cameras = {each.camera for windows in entries.values() for each in windows}
    rows = merge_windows(connection, cameras, window)
    promise(connection, rows, created_utc_ns=min(entry.created_utc_ns for entry in entries))
    there = cameras_with(connection, cameras, window)
    merged = [
        entry
        for entry, windows in entries.items()
        if all(each.camera in there and _lies_in(each, window) for each in windows)
    ]
    leave_unmerged(connection, entries.keys() - merged)
    if merged:
        shed_merged(
            connection,
            merged,
            [WindowRow(camera, window.start_s, window.length_s) for camera in sorted(there)],
            at_ms=now.utc_ns // 1_000_000,
            boot=boots.pop() if len(boots := {whole.boot for whole, _ in rows}) == 1 else now.boot,
            became="hours" if window.length_s == HOUR_S else "days",
            reason=reason,
        )


def _lies_in(each: WindowRow, window: Window) -> bool:
    return window.start_s <= each.start and each.start + each.length <= window.start_s + window.length_s
