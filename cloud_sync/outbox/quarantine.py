"""Sets aside what can never be sent."""

from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from cloud_sync.outbox.append import append_shed
from cloud_sync.outbox.entry import Entry
from cloud_sync.outbox.losses import Lost, shed_fields, windows_of
from cloud_sync.outbox.schema import outbox, quarantine, stream
from cloud_sync.wire import Channel, WindowRow, window_columns_of

KEPT_ROWS = 10_000
"""Beyond, the oldest go: a broker that takes next to nothing would have everything set aside, and the disk filled."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """An entry in the quarantine."""

    stream: str
    seq: int
    channel: str
    created_utc_ns: int
    size_bytes: int
    reason: str


def read_quarantine(connection: Connection, *, limit: int) -> list[SetAside]:
    """Return what was set aside last, newest first."""
    c = quarantine.c
    query = select(c.stream, c.seq, c.channel, c.created_utc_ns, func.length(c.body), c.reason)
    return [SetAside(*row) for row in connection.execute(query.order_by(c.id.desc()).limit(limit))]


def set_aside(connection: Connection, seq: int, reason: str, *, at_ms: int) -> bool:
    """Move an entry to the quarantine, and have a shed record tell that it never comes; False if it is gone already.

    Args:
        connection: In a write transaction.
        seq: Of the entry. A shed record is set aside without another one: that could not be sent either.
        reason: Why it can never be sent.
        at_ms: Now, UTC.
    """
    row = connection.execute(select(outbox).where(outbox.c.seq == seq)).one_or_none()
    if row is None:
        return False
    entry = Entry(row.seq, Channel(row.channel), row.boot, row.created_utc_ns, row.body)
    added = insert(quarantine).values(
        stream=select(stream.c.id).scalar_subquery(),
        seq=entry.seq,
        channel=entry.channel,
        boot=entry.boot,
        created_utc_ns=entry.created_utc_ns,
        body=entry.body,
        reason=reason,
    )
    key = connection.execute(added).inserted_primary_key
    assert key is not None
    connection.execute(delete(quarantine).where(quarantine.c.id <= key[0] - KEPT_ROWS))
    connection.execute(delete(outbox).where(outbox.c.seq == seq))
    if entry.channel is not Channel.SHED:
        _tell(connection, entry, reason, at_ms)
    return True


def _tell(connection: Connection, entry: Entry, reason: str, at_ms: int) -> None:
    windows = _windows_told(entry) if entry.channel is Channel.ROLLUP else set()
    lost = [Lost.of(entry)]
    fields = shed_fields(lost, at_ms=at_ms, became="nothing", reason="rejected", detail=reason, windows=windows)
    append_shed(connection, fields, boot=entry.boot, created_utc_ns=at_ms * 1_000_000)


def _windows_told(entry: Entry) -> set[WindowRow]:
    """Return the windows of a rollup entry that the wire can name; its body may be what is wrong with it."""
    with suppress(ValueError, TypeError, KeyError):
        windows = windows_of(entry)
        window_columns_of(sorted(windows))
        return {window for window in windows if "\0" not in window.camera}
    return set()
