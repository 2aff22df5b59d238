"""What was given up, as the fields of a shed record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_sync.outbox.entry import Entry
from cloud_sync.ranges import merge
from cloud_sync.wire import Channel, WindowColumns, WindowRow, window_columns_of, window_rows_of

DETAIL_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Lost:
    """An entry that never comes."""

    seq: int
    channel: Channel
    created_utc_ns: int
    size_bytes: int  # of its body

    @classmethod
    def of(cls, entry: Entry) -> "Lost":
        """Return what is told of an entry."""
        return cls(entry.seq, entry.channel, entry.created_utc_ns, len(entry.body))


def shed_fields(
    lost: Sequence[Lost],
    *,
    at_ms: int,
    became: str,
    reason: str,
    detail: str = "",
    windows: Iterable[WindowRow] = (),
) -> dict[str, Any]:
    """Return the fields of a ``ShedMessage``.

    Args:
        lost: At least one entry; all of one channel.
        at_ms: Now, UTC.
        became: What is left of them: ``nothing``, ``hours`` or ``days``.
        reason: Which limit was met, or ``rejected``.
        detail: One line for a person; cut where it is too long for the wire.
        windows: Of rollups: those that are gone, or those that they were merged into.
    """
    made_ms = [each.created_utc_ns // 1_000_000 for each in lost]
    columns = window_columns_of(sorted(windows))
    return {
        "at_ms": at_ms,
        "channel": lost[0].channel,
        "became": became,
        "reason": reason,
        "detail": detail[:DETAIL_CHARACTERS],
        "entries": len(lost),
        "size_bytes": sum(each.size_bytes for each in lost),
        "oldest_ms": min(made_ms),
        "newest_ms": max(made_ms),
        "ranges": merge((each.seq, each.seq) for each in lost),
        "windows": columns.model_dump() if columns.camera else None,
    }


def joined(fields: dict[str, Any], record: Entry) -> dict[str, Any]:
    """Return the fields of a record that also tells what a waiting one does, and that this one itself never comes."""
    earlier = record.fields()
    windows, before = (window_rows_of(WindowColumns.model_validate(each["windows"])) for each in (fields, earlier))
    rest = [row for row in before if not any(_covers(longer, row) for longer in windows)]
    return {
        **fields,
        "entries": fields["entries"] + earlier["entries"] + 1,
        "size_bytes": fields["size_bytes"] + earlier["size_bytes"],
        "oldest_ms": min(fields["oldest_ms"], earlier["oldest_ms"]),
        "newest_ms": max(fields["newest_ms"], earlier["newest_ms"]),
        "ranges": merge((first, last) for first, last in (*fields["ranges"], *earlier["ranges"], (record.seq,) * 2)),
        "windows": window_columns_of(sorted([*windows, *rest])).model_dump(),
    }


def _covers(longer: WindowRow, row: WindowRow) -> bool:
    end = longer.start + longer.length
    return longer.camera == row.camera and longer.start <= row.start and row.start + row.length <= end


def windows_of(entry: Entry) -> set[WindowRow]:
    """Return the windows of a rollup entry, whole, each of one camera.

    Raises:
        ValueError, TypeError, KeyError: Its body is no rollup entry.
    """
    rows = {WindowRow(row.camera, row.start, row.length) for row in entry.rows()}
    return rows | {WindowRow(row.camera, row.start, row.length) for row in entry.measures()}
