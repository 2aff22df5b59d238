"""A box's outbox onto a stick and into a cloud's database, as a test drives it."""

from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, delete, select

from cloud_sync.bundle import Exported, Importer, PartResult, Trust, export_outbox, find_parts
from cloud_sync.ingest import schema
from cloud_sync.outbox import append_event, append_evidence, append_shed
from cloud_sync.outbox.schema import outbox
from cloud_sync.sqlite import open_sqlite
from cloud_sync.wire import Box, Channel
from tests.faults.ends import BOX, BoxEnd, birth_message

NOW_MS = 1_700_000_000_000
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def fill(box: BoxEnd, rollups: int = 30) -> None:
    """Commit something of each channel: with 30 rollups, entries 1 to 33 and 35, which says that 34 was given up."""
    box.add_event("agent-started", version="1")
    box.add_rollups(0, rollups)
    box.add_event("loitering", channel=Channel.ALARM)
    evidence = {"kind": "look-here", "camera": "north", "at_ms": 5, "width": 2, "height": 1, "data": {}}
    box.writer.submit(lambda c: append_evidence(c, evidence, b"\xff\xd8jpeg\xff\xd9", boot=1, created_utc_ns=0))

    def give_up(connection: Connection) -> None:
        seq = append_evidence(connection, evidence, b"another", boot=1, created_utc_ns=0)
        connection.execute(delete(outbox).where(outbox.c.seq == seq))
        shed = {"at_ms": 5, "channel": "evidence", "became": "nothing", "reason": "bytes", "entries": 1}
        shed |= {"size_bytes": 9, "oldest_ms": 1, "newest_ms": 2, "ranges": [[seq, seq]]}
        append_shed(connection, shed, boot=1, created_utc_ns=0)

    box.writer.submit(give_up).result(10)


def many(box: BoxEnd, count: int) -> None:
    """Commit events all at once, each of about half a kilobyte that does not compress."""
    noise = Random(count)

    def work(connection: Connection) -> None:
        for _ in range(count):
            fields = {"kind": "noise", "camera": None, "at_ms": 1, "data": {"noise": noise.randbytes(150).hex()}}
            append_event(connection, fields, boot=1, created_utc_ns=0)

    box.writer.submit(work).result(60)


def export(database: Path, stick: Path, *, box: Box = BOX, key: Ed25519PrivateKey = KEY, **more: Any) -> Exported:
    engine = open_sqlite(database, write=False)
    try:
        values = {"box": box, "key": key, "birth": birth_message("0" * 32), "now_ms": NOW_MS} | more
        return export_outbox(engine, stick, **values)
    finally:
        engine.dispose()


def take(database: Engine, *paths: Path, trust: Trust | None = None) -> list[PartResult]:
    importer = Importer(database, trust or Trust(first_use=True), utc_ms=lambda: NOW_MS)
    return [importer.take(path) for path in find_parts(paths)]


def contents(database: Engine) -> dict[str, list[tuple]]:
    """All that the cloud holds of data, sorted: a double shows."""
    tables = (schema.rollup, schema.measure, schema.event, schema.evidence, schema.shed, schema.received)
    with database.connect() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr) for table in tables}
