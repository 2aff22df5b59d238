"""The sets that must be equal: what a box committed, and what a cloud's database holds."""

import json
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, select, text

from cloud_sync.ingest import schema as cloud
from cloud_sync.outbox.schema import quarantine
from cloud_sync.sqlite import open_sqlite
from cloud_sync.wire import Box, Channel, MeasureRow, RollupRow

_EVENT = ("kind", "camera", "at_ms")
_PICTURE = ("kind", "camera", "at_ms", "width", "height")
_SHED = (
    *("at_ms", "channel", "became", "reason", "detail"),
    *("entries", "size_bytes", "oldest_ms", "newest_ms"),
)


@dataclass(slots=True)
class Records:
    """Records by kind. They are counted, so that a double shows as well as a loss."""

    by_kind: dict[str, Counter[tuple[Any, ...]]] = field(default_factory=dict)

    def add(self, kind: str, *values: Any) -> None:
        self.by_kind.setdefault(kind, Counter())[values] += 1

    @property
    def total(self) -> int:
        return sum(counter.total() for counter in self.by_kind.values())

    def differences(self, other: "Records") -> list[str]:
        """Say what one has and the other has not; nothing if they are equal."""
        lines = []
        for kind in sorted({*self.by_kind, *other.by_kind}):
            mine, yours = self.by_kind.get(kind, Counter()), other.by_kind.get(kind, Counter())
            for word, some in (("lost", mine - yours), ("too many", yours - mine)):
                if some:
                    lines.append(f"{kind}: {some.total()} {word}, such as {next(iter(some))}")
        return lines


def keep_journal(connection: Connection) -> None:
    """Have the box's database keep a copy of each entry that is committed to the outbox, in the same transaction."""
    connection.execute(
        text("CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY, seq INTEGER, channel TEXT, body BLOB)")
    )
    connection.execute(
        text(
            "CREATE TRIGGER IF NOT EXISTS journal_keeps AFTER INSERT ON outbox BEGIN"
            " INSERT INTO journal (seq, channel, body) VALUES (NEW.seq, NEW.channel, NEW.body); END"
        )
    )


def committed(*journals: Path) -> Records:
    """Return what the journals of a box have, without what the box could never send.

    Each entry counts once: a database that was copied has the entries before the copy in both journals.
    """
    entries: set[tuple[str, bytes]] = set()
    for path in journals:
        engine = open_sqlite(path, write=False)
        with engine.connect() as connection:
            aside = {tuple(row) for row in connection.execute(select(quarantine.c.channel, quarantine.c.body))}
            entries |= {tuple(row) for row in connection.execute(text("SELECT channel, body FROM journal"))} - aside
        engine.dispose()
    return _read_entries(entries)


def _read_entries(entries: Iterable[tuple[str, bytes]]) -> Records:
    records = Records()
    rollups: dict[tuple[Any, ...], RollupRow] = {}
    measures: dict[tuple[Any, ...], MeasureRow] = {}
    for channel, body in entries:
        fields = json.loads(body)
        if channel == Channel.ROLLUP:
            _keep_newest(rollups, (RollupRow(*row) for row in fields["rollups"]), key=5)
            _keep_newest(measures, (MeasureRow(*row) for row in fields["measures"]), key=6)
        elif channel == Channel.CLOCK:
            continue  # no record of its own: it says by what the times of others were off
        elif channel == Channel.SHED:
            records.add(channel, *(fields.get(name, "") for name in _SHED), _pairs(fields["ranges"]))
        elif channel == Channel.EVIDENCE:
            digest = sha256(urlsafe_b64decode(fields["jpeg"])).hexdigest()
            records.add(channel, *(fields[name] for name in _PICTURE), _canonical(fields["data"]), digest)
        else:
            records.add(channel, *(fields[name] for name in _EVENT), _canonical(fields["data"]))
    for row in rollups.values():
        records.add("rollup", *row)
    for measure in measures.values():
        records.add("measure", *measure)
    return records


def _keep_newest(kept: dict[tuple[Any, ...], Any], rows: Iterable[Any], *, key: int) -> None:
    """Keep the highest revision of each window; its key is the first fields of a row."""
    for row in rows:
        before = kept.get(row[:key])
        if before is None or row.revision > before.revision:
            kept[row[:key]] = row


def ingested(engine: Engine, box: Box) -> Records:
    """Return what a cloud's database holds of a box."""
    records = Records()
    with engine.connect() as connection:
        for kind, table, names in (
            ("rollup", cloud.rollup, RollupRow._fields),
            ("measure", cloud.measure, MeasureRow._fields),
        ):
            for row in _all(connection, table, box):
                records.add(kind, *(getattr(row, name) for name in names))
        for row in _all(connection, cloud.event, box):
            records.add(row.channel, *(getattr(row, name) for name in _EVENT), _canonical(json.loads(row.data)))
        for row in _all(connection, cloud.evidence, box):
            values = (getattr(row, name) for name in _PICTURE)
            records.add("evidence", *values, _canonical(json.loads(row.data)), sha256(row.jpeg).hexdigest())
        ranges: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for row in connection.execute(select(cloud.shed_range)):
            ranges.setdefault((row.stream, row.seq), []).append((row.first, row.last))
        for row in _all(connection, cloud.shed, box):
            told = ranges.get((row.stream, row.seq), [])
            records.add("shed", *(getattr(row, name) for name in _SHED), _pairs(told))
    return records


def _all(connection: Connection, table: Table, box: Box) -> Iterable[Any]:
    return connection.execute(select(table).where(table.c.site == box.site, table.c.device == box.device)).all()


def _pairs(ranges: Iterable[Iterable[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(sorted(tuple(pair) for pair in ranges))


def _canonical(data: dict[str, Any]) -> str:
    return json.dumps(data, sort_keys=True)
