"""Gives entries up, each loss with its record in the same transaction. What and when is for the agent to decide."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, func, or_, select, update

from cloud_sync.outbox.append import append_shed
from cloud_sync.outbox.entry import Entry
from cloud_sync.outbox.losses import Lost, shed_fields
from cloud_sync.outbox.schema import outbox
from cloud_sync.wire import Channel, WindowRow

AT_ONCE = 500
"""Entries given up in one transaction, so that others need not wait long, and named in one record of small size."""


def shed_oldest(connection: Connection, channel: Channel, *, at_ms: int, boot: int, reason: str) -> int:
    """Give up the oldest entries of a channel, up to ``AT_ONCE``; nothing is left of them. Return how many.

    Args:
        connection: In a write transaction.
        channel: Events or evidence.
        at_ms: Now, UTC.
        boot: Counter of this boot.
        reason: Which limit was met: ``rows``, ``bytes`` or ``disk``.

    Raises:
        ValueError: The channel is one of which nothing may be given up.
    """
    if channel not in (Channel.EVENT, Channel.EVIDENCE):
        raise ValueError(f"{channel}: found; allowed: event, evidence")
    c = outbox.c
    oldest = select(c.seq, c.created_utc_ns, func.length(c.body)).where(c.channel == channel).order_by(c.seq)
    rows = connection.execute(oldest.limit(AT_ONCE)).all()
    if not rows:
        return 0
    lost = [Lost(seq, channel, created_utc_ns, size_bytes) for seq, created_utc_ns, size_bytes in rows]
    fields = shed_fields(lost, at_ms=at_ms, became="nothing", reason=reason)
    _replace(connection, lost, fields, boot=boot, at_ms=at_ms)
    return len(lost)


def oldest_window(connection: Connection, *, length_s: int, spare_from_s: int, spare_to_s: int) -> list[Entry]:
    """Return the entries with the earliest windows shorter than ``length_s``, up to ``AT_ONCE`` of one such window.

    Args:
        connection: For reading.
        length_s: An hour or a day.
        spare_from_s: Windows that begin from here on and before ``spare_to_s``, UTC seconds, are left out.
        spare_to_s: See there.
    """
    c = outbox.c
    shorter = (
        c.window_start_s.is_not(None),
        c.window_s < length_s,
        or_(c.window_start_s < spare_from_s, c.window_start_s >= spare_to_s),
    )
    earliest = select(c.window_start_s).where(*shorter).order_by(c.window_start_s).limit(1)
    found: int | None = connection.execute(earliest).scalar()
    if found is None:
        return []
    start_s = found - found % length_s
    in_window = select(outbox).where(*shorter, c.window_start_s.between(start_s, start_s + length_s - 1))
    rows = connection.execute(in_window.order_by(c.window_start_s, c.seq).limit(AT_ONCE)).all()
    return [Entry(row.seq, Channel(row.channel), row.boot, row.created_utc_ns, row.body) for row in rows]


def shed_merged(
    connection: Connection,
    entries: Sequence[Entry],
    windows: Iterable[WindowRow],
    *,
    at_ms: int,
    boot: int,
    became: str,
    reason: str,
) -> None:
    """Give up rollup entries whose windows were merged into ``windows``, the rows of which have their own entry.

    Args:
        connection: In a write transaction.
        entries: At least one.
        windows: What holds all that was in them.
        at_ms: Now, UTC.
        boot: Counter of this boot.
        became: ``hours`` or ``days``.
        reason: Which limit was met: ``rows``, ``bytes`` or ``disk``.
    """
    lost = [Lost.of(entry) for entry in entries]
    fields = shed_fields(lost, at_ms=at_ms, became=became, reason=reason, windows=windows)
    _replace(connection, lost, fields, boot=boot, at_ms=at_ms)


def leave_unmerged(connection: Connection, entries: Iterable[Entry]) -> None:
    """Take note that these entries cannot be merged: they wait as they are, and are not looked at again."""
    seqs = [entry.seq for entry in entries]
    connection.execute(update(outbox).where(outbox.c.seq.in_(seqs)).values(window_start_s=None, window_s=None))


def _replace(connection: Connection, lost: Sequence[Lost], fields: dict[str, object], *, boot: int, at_ms: int) -> None:
    connection.execute(delete(outbox).where(outbox.c.seq.in_([each.seq for each in lost])))
    append_shed(connection, fields, boot=boot, created_utc_ns=at_ms * 1_000_000)
