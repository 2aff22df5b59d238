"""Gives entries up, each loss with its record in the same transaction. What and when is for the agent to decide."""

from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate

from sqlalchemy import Connection, delete, func, or_, select, update

from cloud_sync.outbox.append import append_shed
from cloud_sync.outbox.entry import Entry
from cloud_sync.outbox.losses import Lost, joined, shed_fields
from cloud_sync.outbox.schema import channel_by_window, outbox
from cloud_sync.wire import Channel, WindowRow

AT_ONCE = 500
"""Entries given up in one transaction, so that others need not wait long, and named in one record of small size."""
RANGES_JOINED = 2000
"""Ranges of earlier records that become part of a new one: the largest record still fits a packet."""


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
    _forget(connection, [each.seq for each in lost])
    append_shed(connection, fields, boot=boot, created_utc_ns=at_ms * 1_000_000)
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
        channel_by_window == Channel.ROLLUP,
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
    rows = connection.execute(in_window.order_by(c.window_start_s, c.window_s, c.seq).limit(AT_ONCE)).all()
    return [Entry(row.seq, Channel(row.channel), row.boot, row.created_utc_ns, row.body) for row in rows]


def shed_merged(
    connection: Connection,
    entries: Sequence[Entry],
    windows: Collection[WindowRow],
    *,
    at_ms: int,
    boot: int,
    became: str,
    reason: str,
) -> None:
    """Give up rollup entries whose windows were merged into ``windows``, the rows of which have their own entry.

    Records of earlier merges inside these windows that still wait become part of the new one: else there would be one
    for each hour of months.

    Args:
        connection: In a write transaction.
        entries: At least one.
        windows: What holds all that was in them: one hour or day, of at least one camera.
        at_ms: Now, UTC.
        boot: Counter of this boot.
        became: ``hours`` or ``days``.
        reason: Which limit was met: ``rows``, ``bytes`` or ``disk``.
    """
    lost = [Lost.of(entry) for entry in entries]
    _, start_s, length_s = next(iter(windows))
    fields = shed_fields(lost, at_ms=at_ms, became=became, reason=reason, windows=windows)
    records = _records_inside(connection, start_s, length_s, boot)
    for record in records:
        fields = joined(fields, record)
    _forget(connection, [*(each.seq for each in lost), *(record.seq for record in records)])
    at_ns = at_ms * 1_000_000
    append_shed(connection, fields, boot=boot, created_utc_ns=at_ns, window_start_s=start_s, window_s=length_s)


def _records_inside(connection: Connection, start_s: int, length_s: int, boot: int) -> list[Entry]:
    """Return the waiting records of merges inside a window, as long as they name no more than one message should.

    Those of another boot tell windows by another clock.
    """
    c = outbox.c
    inside = (c.boot == boot, c.window_start_s.between(start_s, start_s + length_s - 1), c.window_s <= length_s)
    rows = connection.execute(select(outbox).where(*inside, channel_by_window == Channel.SHED).order_by(c.seq)).all()
    records = [Entry(row.seq, Channel.SHED, row.boot, row.created_utc_ns, row.body) for row in rows]
    named = accumulate(len(record.fields()["ranges"]) for record in records)
    return [record for record, ranges in zip(records, named, strict=True) if ranges <= RANGES_JOINED]


def leave_unmerged(connection: Connection, entries: Iterable[Entry]) -> None:
    """Take note that these entries cannot be merged: they wait as they are, and are not looked at again."""
    seqs = [entry.seq for entry in entries]
    connection.execute(update(outbox).where(outbox.c.seq.in_(seqs)).values(window_start_s=None, window_s=None))


def _forget(connection: Connection, seqs: Sequence[int]) -> None:
    connection.execute(delete(outbox).where(outbox.c.seq.in_(seqs)))
