"""The boots of the machine, and the settings of its clock within one, as the database numbers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from agent.clock import NOT_BEFORE_NS, STEP_NS, Stretch, is_believable
from agent.store.schema import boot as table
from agent.store.schema import event, rollup
from agent.types import Instant

_SECOND_NS = 1_000_000_000
_OPEN_NS = 120 * _SECOND_NS
"""Where no window is stored, one may have been open for so long."""


@dataclass(frozen=True, slots=True)
class Correction:
    """By what the times of a boot were off, and the boot by whose clock they are told now."""

    told_by: int
    shift_ms: int
    window_shift_s: int


def find_stretch(connection: Connection, raw: Instant, boot_id: str, *, synchronised: bool | None) -> Stretch:
    """Return the stretch of now, numbered anew where the clock is none of those that were seen in this boot.

    Where the machine's clock cannot be right, the last one of this boot goes on; in a boot that has none, time is
    taken to go on where the newest row ends, so that no row of an unset clock falls on one of another boot.

    Args:
        connection: In a write transaction.
        raw: The machine's clock now.
        boot_id: What names this boot of the machine.
        synchronised: Whether the kernel vouches for its clock.
    """
    c = table.c
    rows = connection.execute(select(table).where(c.kernel_boot_id == boot_id).order_by(c.id.desc())).all()
    stretches = [Stretch(row.id, row.first_utc_ns - row.first_monotonic_ns, row.unset) for row in rows]
    if not is_believable(raw, known_ns(connection), lambda: synchronised):
        return stretches[0] if stretches else _estimate(connection, raw, boot_id)
    offset_ns = raw.utc_ns - raw.monotonic_ns
    for row, stretch in zip(rows, stretches, strict=True):
        if not stretch.unset and row.told_by is None and abs(stretch.offset_ns - offset_ns) < STEP_NS:
            return stretch
    stretch = Stretch(_newest(connection) + 1, offset_ns)
    note(connection, stretch, raw, boot_id)
    return stretch


def known_ns(connection: Connection) -> int:
    """Return a time that has passed for certain."""
    confirmed: int | None = connection.execute(select(func.max(table.c.confirmed_utc_ns))).scalar()
    return max(NOT_BEFORE_NS, confirmed or 0)


def utc_now_ns(connection: Connection, raw: Instant, boot_id: str) -> int:
    """Return UTC now as the agent tells it: by its estimate, where the machine's clock is not set in this boot."""
    c = table.c
    query = select(table).where(c.kernel_boot_id == boot_id).order_by(c.id.desc()).limit(1)
    row = connection.execute(query).first()
    if row is None or not row.unset or raw.utc_ns >= known_ns(connection):
        return raw.utc_ns
    return int(row.first_utc_ns) - int(row.first_monotonic_ns) + raw.monotonic_ns


def note(connection: Connection, stretch: Stretch, now: Instant, boot_id: str) -> None:
    """Put a stretch on record, if it is not."""
    c = table.c
    if connection.execute(select(c.id).where(c.id == stretch.boot)).first() is None:
        values = {
            "id": stretch.boot,
            "kernel_boot_id": boot_id,
            "first_utc_ns": now.monotonic_ns + stretch.offset_ns,
            "first_monotonic_ns": now.monotonic_ns,
            "unset": stretch.unset,
        }
        connection.execute(insert(table).values(values))


def confirm(connection: Connection, boot: int, utc_ns: int) -> None:
    """Note that the kernel vouches for the clock of a boot."""
    connection.execute(update(table).where(table.c.id == boot).values(confirmed_utc_ns=utc_ns))


def corrections(connection: Connection) -> Mapping[int, Correction]:
    """Return by boot what was put right, of those of which something was."""
    c = table.c
    query = select(c.id, c.told_by, c.shift_ms, c.window_shift_s).where(c.told_by.is_not(None))
    return {row.id: Correction(row.told_by, row.shift_ms, row.window_shift_s) for row in connection.execute(query)}


def undated(connection: Connection) -> list[dict[str, Any]]:
    """Return the boots whose clock was never set, oldest first, and between which times they were.

    ``until_ns`` is when the next boot of a set clock began; None: there is none yet.
    """
    c = table.c
    query = select(c.id, c.first_utc_ns).where(c.unset, c.told_by.is_(None)).order_by(c.id)
    rows = connection.execute(query).all()
    return [{"boot": row.id, "from_ns": row.first_utc_ns, "until_ns": until_ns(connection, row.id)} for row in rows]


def until_ns(connection: Connection, boot: int) -> int | None:
    """Return when the machine was booted next after this boot, by the first set clock of a later one."""
    c = table.c
    later = select(c.first_utc_ns - c.first_monotonic_ns).where(c.id > boot, ~c.unset, ~_same_boot(boot))
    booted_ns: int | None = connection.execute(later.order_by(c.id).limit(1)).scalar()
    return booted_ns


def _same_boot(boot: int) -> ColumnElement[bool]:
    return table.c.kernel_boot_id.in_(select(table.c.kernel_boot_id).where(table.c.id == boot).scalar_subquery())


def _newest(connection: Connection) -> int:
    return connection.execute(select(func.max(table.c.id))).scalar() or 0


def _estimate(connection: Connection, raw: Instant, boot_id: str) -> Stretch:
    """Begin a stretch after all that is stored, and after what a power cut may have left open."""
    c = rollup.c
    newest = select((c.window_start_s + 2 * c.window_s) * _SECOND_NS).order_by(c.window_start_s.desc()).limit(1)
    last_event = select(func.max(event.c.utc_ns) + _OPEN_NS)
    last_boot = select(func.max(table.c.first_utc_ns) + _OPEN_NS)
    ends = [connection.execute(query).scalar() or 0 for query in (newest, last_event, last_boot)]
    begin_ns = max(known_ns(connection), *ends) + _SECOND_NS
    stretch = Stretch(_newest(connection) + 1, begin_ns - raw.monotonic_ns, unset=True)
    note(connection, stretch, raw, boot_id)
    return stretch
