"""Messages that cannot be stored, kept aside with the reason."""

import hashlib
from collections.abc import Iterable

import structlog
from sqlalchemy import Connection, delete, func, select, text

from cloud_sync.ingest.inbox import Refused
from cloud_sync.ingest.schema import quarantine

log = structlog.get_logger()

QUARANTINE_ROWS = 10_000
QUARANTINE_PAYLOAD_BYTES = 64 * 1024

_PUT = text(
    """INSERT INTO quarantine
    (digest, topic, reason, payload, size_bytes, encoding, times, first_ms, last_ms)
VALUES (:digest, :topic, :reason, :payload, :size_bytes, :encoding, 1, :now_ms, :now_ms)
ON CONFLICT (digest) DO UPDATE
SET times = quarantine.times + 1, last_ms = excluded.last_ms, reason = excluded.reason"""
)


def set_aside(connection: Connection, refused: Iterable[Refused], now_ms: int) -> None:
    """Keep messages with their reason; the same one again only counts, and of ever new ones the newest stay."""
    rows = []
    for item in refused:
        arrived = item.arrived
        log.warning("message_quarantined", topic=arrived.topic, reason=item.reason, size_bytes=len(arrived.payload))
        row = {
            "digest": hashlib.sha256(arrived.topic.encode() + b"\0" + arrived.payload).hexdigest(),
            "topic": plain(arrived.topic),
            "reason": plain(item.reason),
            "payload": arrived.payload[:QUARANTINE_PAYLOAD_BYTES],
            "size_bytes": len(arrived.payload),
            "encoding": arrived.encoding if arrived.encoding is None else plain(arrived.encoding),
            "now_ms": now_ms,
        }
        rows.append(row)
    if rows:
        connection.execute(_PUT, sorted(rows, key=lambda row: str(row["digest"])))
        _trim(connection)


def plain(words: str) -> str:
    """Return a text that every database and the wire can hold: no NUL in it, and Unicode."""
    return words.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()


def _trim(connection: Connection) -> None:
    surplus = connection.execute(select(func.count()).select_from(quarantine)).scalar_one() - QUARANTINE_ROWS
    if surplus > 0:
        oldest = select(quarantine.c.digest).order_by(quarantine.c.last_ms, quarantine.c.digest).limit(surplus)
        connection.execute(delete(quarantine).where(quarantine.c.digest.in_(oldest)))
