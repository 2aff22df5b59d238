"""What was given up, as the fields of a shed record."""

from collections.abc import Iterable, Sequence
from typing import Any

from cloud_sync.outbox.entry import Entry
from cloud_sync.ranges import merge
from cloud_sync.wire import WindowRow, window_columns_of

DETAIL_CHARACTERS = 256


def shed_fields(
    entries: Sequence[Entry],
    *,
    at_ms: int,
    became: str,
    reason: str,
    detail: str = "",
    windows: Iterable[WindowRow] = (),
) -> dict[str, Any]:
    """Return the fields of a ``ShedMessage``.

    Args:
        entries: At least one; of one channel.
        at_ms: Now, UTC.
        became: What is left of them: ``nothing``, ``hours`` or ``days``.
        reason: Which limit was met, or ``rejected``.
        detail: One line for a person; cut where it is too long for the wire.
        windows: Of rollups: those that are gone, or those that they were merged into.
    """
    made_ms = [entry.created_utc_ns // 1_000_000 for entry in entries]
    columns = window_columns_of(sorted(windows))
    return {
        "at_ms": at_ms,
        "channel": entries[0].channel,
        "became": became,
        "reason": reason,
        "detail": detail[:DETAIL_CHARACTERS],
        "entries": len(entries),
        "size_bytes": sum(len(entry.body) for entry in entries),
        "oldest_ms": min(made_ms),
        "newest_ms": max(made_ms),
        "ranges": merge((entry.seq, entry.seq) for entry in entries),
        "windows": columns.model_dump() if columns.camera else None,
    }


def windows_of(entry: Entry) -> set[WindowRow]:
    """Return the windows of a rollup entry, whole, each of one camera.

    Raises:
        ValueError, TypeError, KeyError: Its body is no rollup entry.
    """
    rows = {WindowRow(row.camera, row.start, row.length) for row in entry.rows()}
    return rows | {WindowRow(row.camera, row.start, row.length) for row in entry.measures()}
