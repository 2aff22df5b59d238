"""Corrects what was written by a clock that was wrong, once the clock is set. See DESIGN.md, "The clock".

The word of it is one transaction: from then on what comes late is put right as it comes, and the cloud is told. The
rows are moved after it, some at a time, each such step a transaction of its own: wherever the power is cut, a row is
either where the old clock put it, with the old boot, or where it belongs, with the new one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, Row, Table, delete, insert, select, tuple_, update

from agent.clock import STEP_NS, Stretch
from agent.store import boots
from agent.store.boots import Correction
from agent.store.merging import HOUR_S
from agent.store.promises import Stored, promise
from agent.store.rows import columns_of, fields_of, upsert
from agent.store.schema import boot as boot_table
from agent.store.schema import event as event_table
from agent.store.schema import measure as measure_table
from agent.store.schema import merged
from agent.store.schema import rollup as rollup_table
from agent.summaries import add_up
from agent.types import Instant, MeasureRollup, Rollup
from cloud_sync.outbox import append_clock, move_windows

log = structlog.get_logger()

MOVED_AT_ONCE = 2000
"""Rows in one transaction: the writer has others to serve."""
BELIEVED_NS = 600 * 10**9
"""A clock that was set by hand, or by something that does not tell the kernel, is believed when it stood so long."""
_MS = 1_000_000


class Shift(NamedTuple):
    """What has to be added to moments, and to starts of windows."""

    ms: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Looked:
    """The clock as it is now."""

    stretch: Stretch
    now: Instant
    boot_id: str  # of the machine
    confirmed: bool  # the kernel vouches for it
    stands_ns: int  # since it was set, or since the agent was started

    @property
    def at_ms(self) -> int:
        """Return now, UTC."""
        return self.now.utc_ns // _MS


def settle(connection: Connection, looked: Looked, *, send: bool, window_s: int) -> bool:
    """Put on record what is known of the clock, and correct a little of what another one has written.

    Args:
        connection: In a write transaction.
        looked: At the clock.
        send: Whether this box has a cloud to tell.
        window_s: Length of the windows that are recorded: they are moved by whole ones.

    Returns:
        Whether there is more to move.
    """
    boots.note(connection, looked.stretch, looked.now, looked.boot_id)
    if looked.confirmed:
        boots.confirm(connection, looked.stretch.boot, looked.now.utc_ns)
    newest_first = connection.execute(select(boot_table).order_by(boot_table.c.id.desc())).all()
    shifts: dict[int, Shift] = {}  # by boot, of those that turn out to be wrong now
    for row in newest_first:
        shift = shifts.get(row.told_by) if row.told_by else _wrong_by(row, looked, window_s)
        if shift is not None:
            shifts[row.id] = shift
            _correct(connection, row, shift, looked, send=send)
    if send:
        for row in reversed(newest_first):
            if row.unset and row.told_by is None and row.id not in shifts:
                _tell_unset(connection, row, looked)
    return _move_some(connection, looked.now, send=send)


def _wrong_by(row: Row[Any], looked: Looked, window_s: int) -> Shift | None:
    """Return by what a boot's clock was off, by the word of a better one; None where there is no such word.

    A clock that the kernel vouched for is never corrected. One that could be right is, by a clock that the kernel
    vouches for, or that was set and not set again since.
    """
    same_boot = row.kernel_boot_id == looked.boot_id and row.id < looked.stretch.boot
    if not same_boot or looked.stretch.unset or row.confirmed_utc_ns is not None:
        return None
    off_ns = looked.stretch.offset_ns - (int(row.first_utc_ns) - int(row.first_monotonic_ns))
    is_better = looked.confirmed or looked.stands_ns >= BELIEVED_NS
    if not (row.unset or (is_better and abs(off_ns) >= STEP_NS)):
        return None
    return Shift(round(off_ns / _MS), round(off_ns / 1e9 / window_s) * window_s)


def _correct(connection: Connection, row: Row[Any], more: Shift, looked: Looked, *, send: bool) -> None:
    """Note that a boot's times are off, by so much more than was known, and tell the cloud."""
    whole = Shift((row.shift_ms or 0) + more.ms, (row.window_shift_s or 0) + more.window_s)
    values = {"shift_ms": whole.ms, "window_shift_s": whole.window_s, "told_by": looked.stretch.boot, "to_move": True}
    connection.execute(update(boot_table).where(boot_table.c.id == row.id).values(values))
    move_windows(connection, row.id, shift_ms=more.ms, window_shift_s=more.window_s)
    log.warning("clock_was_wrong", boot=row.id, by_s=round(whole.ms / 1000, 1))
    if send:
        told_ms = {
            "from_ms": row.first_utc_ns // _MS,
            "to_ms": looked.at_ms - whole.ms,
            "shift_ms": whole.ms,
            "window_shift_s": whole.window_s,
        }
        _tell(connection, row, "set", looked, told_ms)


def _tell_unset(connection: Connection, row: Row[Any], looked: Looked) -> None:
    """Tell the cloud once that the times of a boot are an estimate, and once from when to when it may have been."""
    until_ns = boots.until_ns(connection, row.id)
    state = "unset" if until_ns is None else "between"
    if row.cloud_told != state:
        from_ms = row.first_utc_ns // _MS
        told_ms = {"from_ms": from_ms, "to_ms": from_ms if until_ns is None else max(from_ms, until_ns // _MS)}
        _tell(connection, row, state, looked, told_ms)
        connection.execute(update(boot_table).where(boot_table.c.id == row.id).values(cloud_told=state))


def _tell(connection: Connection, row: Row[Any], state: str, looked: Looked, told_ms: dict[str, int]) -> None:
    fields = {"of_boot": row.id, "state": state, "at_ms": looked.at_ms, **told_ms}
    append_clock(connection, fields, boot=looked.stretch.boot, created_utc_ns=looked.now.utc_ns)


def _move_some(connection: Connection, now: Instant, *, send: bool) -> bool:
    """Move the next rows; return whether there may be more."""
    to_move = set(connection.execute(select(boot_table.c.id).where(boot_table.c.to_move)).scalars())
    for boot, correction in boots.corrections(connection).items():
        if boot not in to_move:
            continue
        moved = sum(_move_windows(connection, table, boot, correction, now, send=send) for table in _KIND_OF)
        if moved + _move_events(connection, boot, correction):
            return True
        connection.execute(update(boot_table).where(boot_table.c.id == boot).values(to_move=False))
    return False


_KIND_OF: Mapping[Table, type[Rollup | MeasureRollup]] = {rollup_table: Rollup, measure_table: MeasureRollup}


def _move_windows(
    connection: Connection, table: Table, boot: int, correction: Correction, now: Instant, *, send: bool
) -> int:
    """Move windows of a boot, from the end to which they go: so none meets one of its own that has yet to move."""
    start_s = table.c.window_start_s
    order = start_s.desc() if correction.window_shift_s > 0 else start_s.asc()
    query = select(table).where(table.c.boot == boot).order_by(order).limit(MOVED_AT_ONCE)
    there = [_stored(table, row) for row in connection.execute(query).mappings().all()]
    if not there:
        return 0
    if table is rollup_table:
        _move_marks(connection, there, correction.window_shift_s)
    _remove(connection, table, [whole for whole, _ in there])
    moved = [
        (replace(whole, window_start_s=whole.window_start_s + correction.window_shift_s, boot=correction.told_by), rev)
        for whole, rev in there
    ]
    met = _at(connection, table, moved)
    added = [*_added_up(moved, met)]
    upsert(connection, [each for each in moved if each[0].key not in met])
    upsert(connection, added)
    if send:
        promise(connection, added, created_utc_ns=now.utc_ns)
    return len(there)


def _stored(table: Table, row: Mapping[Any, Any]) -> Stored:
    fields = fields_of(row)
    revision = fields.pop("revision")
    return _KIND_OF[table](**fields), revision


def _at(connection: Connection, table: Table, moved: Iterable[Stored]) -> dict[Any, Stored]:
    """Return by key what is where these windows go."""
    keys = {whole.key for whole, _ in moved}
    query = select(table).where(table.c.window_start_s.in_({whole.window_start_s for whole, _ in moved}))
    there = (_stored(table, row) for row in connection.execute(query).mappings().all())
    return {each[0].key: each for each in there if each[0].key in keys}


def _added_up(moved: Iterable[Stored], met: Mapping[Any, Stored]) -> Iterator[Stored]:
    """Add windows that go where one is to that one, as parts of it: the minute in which the clock was set has two."""
    for whole, revision in moved:
        if whole.key in met:
            other, other_revision = met[whole.key]
            yield add_up(other, whole), max(revision, other_revision) + 1


def _remove(connection: Connection, table: Table, wholes: Sequence[Rollup | MeasureRollup]) -> None:
    names = [column.name for column in table.primary_key]
    keys = [tuple(columns_of(whole)[name] for name in names) for whole in wholes]
    for at in range(0, len(keys), 500):
        connection.execute(delete(table).where(tuple_(*table.primary_key).in_(keys[at : at + 500])))


def _move_marks(connection: Connection, there: Iterable[Stored], shift_s: int) -> None:
    """Let what says that a window was merged go with it."""
    long = {(whole.camera, whole.window_start_s, whole.window_s) for whole, _ in there if whole.window_s >= HOUR_S}
    if not long:
        return
    key = tuple_(merged.c.camera, merged.c.window_start_s, merged.c.window_s)
    connection.execute(delete(merged).where(key.in_(long)))
    marks = [{"camera": camera, "window_start_s": start + shift_s, "window_s": each} for camera, start, each in long]
    connection.execute(insert(merged).prefix_with("OR IGNORE"), marks)


def _move_events(connection: Connection, boot: int, correction: Correction) -> int:
    c = event_table.c
    some = select(c.id).where(c.boot == boot).limit(MOVED_AT_ONCE)
    moved = {"utc_ns": c.utc_ns + correction.shift_ms * _MS, "boot": correction.told_by}
    return connection.execute(update(event_table).where(c.id.in_(some)).values(moved)).rowcount
