"""Adds entries, each in the write transaction of the data that it carries. A body is JSON without the envelope."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, update

from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.wire import Channel, MeasureRow, RollupRow

HOUR_S = 3600


def append(connection: Connection, channel: Channel, body: bytes, *, boot: int, created_utc_ns: int) -> int:
    """Add one entry in the caller's write transaction; return its seq, gapless because both commit or neither."""
    return _append(connection, channel=channel, body=body, boot=boot, created_utc_ns=created_utc_ns)


def append_rollups(
    connection: Connection,
    rows: Iterable[RollupRow],
    measures: Iterable[MeasureRow] = (),
    *,
    boot: int,
    created_utc_ns: int,
) -> int:
    """Add one entry with rollup rows and the measures beside them; return its seq.

    Only an entry whose windows have one length and begin in one hour can be merged into longer windows later.
    """
    rows, measures = list(rows), list(measures)
    windows = {(row.start, row.length) for row in rows} | {(row.start, row.length) for row in measures}
    return _append(
        connection,
        channel=Channel.ROLLUP,
        body=_json({"rollups": rows, "measures": measures}),
        boot=boot,
        created_utc_ns=created_utc_ns,
        **_common(windows),
    )


def append_event(
    connection: Connection,
    fields: dict[str, Any],
    *,
    boot: int,
    created_utc_ns: int,
    channel: Channel = Channel.EVENT,
) -> int:
    """Add one entry with the fields of an ``EventMessage`` (kind, camera, at_ms, data); return its seq."""
    return append(connection, channel, _json(fields), boot=boot, created_utc_ns=created_utc_ns)


def append_evidence(
    connection: Connection, fields: dict[str, Any], jpeg: bytes, *, boot: int, created_utc_ns: int
) -> int:
    """Add a picture with the fields of an ``EvidenceMessage`` (kind, camera, at_ms, width, height, data)."""
    body = _json({**fields, "jpeg": urlsafe_b64encode(jpeg).decode()})
    return append(connection, Channel.EVIDENCE, body, boot=boot, created_utc_ns=created_utc_ns)


def append_shed(
    connection: Connection,
    fields: dict[str, Any],
    *,
    boot: int,
    created_utc_ns: int,
    window_start_s: int | None = None,
    window_s: int | None = None,
) -> int:
    """Add the record of a loss, with the fields of a ``ShedMessage``, in the transaction that causes it.

    Where windows were merged, start and length of the longer one, so that the record can become part of a later one.
    """
    return _append(
        connection,
        channel=Channel.SHED,
        body=_json(fields),
        boot=boot,
        created_utc_ns=created_utc_ns,
        window_start_s=window_start_s,
        window_s=window_s,
    )


def append_clock(connection: Connection, fields: dict[str, Any], *, boot: int, created_utc_ns: int) -> int:
    """Add word of the clock of a boot, with the fields of a ``ClockMessage``; return its seq."""
    return append(connection, Channel.CLOCK, _json(fields), boot=boot, created_utc_ns=created_utc_ns)


def move_windows(connection: Connection, boot: int, *, shift_ms: int, window_shift_s: int) -> None:
    """Have what waits of a boot found at its true time. The bodies stay as they are: see the wire's ``clock``."""
    c = outbox.c
    change = update(outbox).where(c.boot == boot, c.channel != Channel.CLOCK)
    connection.execute(
        change.values(
            created_utc_ns=c.created_utc_ns + shift_ms * 1_000_000, window_start_s=c.window_start_s + window_shift_s
        )
    )


def _append(connection: Connection, **values: Any) -> int:
    seq = connection.execute(
        update(stream).values(next_seq=stream.c.next_seq + 1).returning(stream.c.next_seq - 1)
    ).scalar_one()
    connection.execute(insert(outbox).values(seq=seq, **values))
    return int(seq)


def _common(windows: set[tuple[int, int]]) -> dict[str, int]:
    """Return the columns that say which windows an entry holds, if they have one length and begin in one hour."""
    lengths = {length for _, length in windows}
    hours = {start // HOUR_S for start, _ in windows}
    if len(lengths) != 1 or len(hours) != 1:
        return {}
    return {"window_start_s": min(start for start, _ in windows), "window_s": lengths.pop()}


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
