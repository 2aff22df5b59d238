"""Events and pictures are single: by (stream, seq), and by content where a box has changed its stream.

A box that begins a new stream numbers what it still holds anew, and some of that may have arrived under the old number.
Such a row takes the new number. It is moved, not skipped, so that of two equal ones both stay.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select, update

from cloud_sync.ingest.inbox import Incoming
from cloud_sync.ingest.ledger import holds
from cloud_sync.ingest.schema import event, evidence
from cloud_sync.ingest.tables import Range
from cloud_sync.wire import Box, EventMessage, EvidenceMessage

# Without the time: a box may correct that when its clock has been set.
CONTENT = {event: ("channel", "kind", "camera", "boot", "data"), evidence: ("kind", "camera", "boot", "data")}


@dataclass(slots=True)
class Sorted:
    """Rows that are to be stored, and rows whose number was used for something else."""

    fresh: list[dict[str, Any]] = field(default_factory=list)
    different: list[dict[str, Any]] = field(default_factory=list)


def differ(one: Incoming, other: Incoming) -> bool:
    """Tell whether two messages with one number are events, or pictures, of different content."""
    table = {EventMessage: event, EvidenceMessage: evidence}.get(type(one.message))
    if one is other or table is None or type(one.message) is not type(other.message):
        return False
    fields = [name for name in CONTENT[table] if name != "channel"]
    same = all(getattr(one.message, name) == getattr(other.message, name) for name in fields)
    return not same or one.channel is not other.channel


def sort(
    connection: Connection, table: Table, rows: Iterable[dict[str, Any]], held: Sequence[Range], several: set[Box]
) -> Sorted:
    """Tell new rows from those that are there already.

    Args:
        connection: Holds the locks of the boxes.
        table: ``event`` or ``evidence``.
        rows: No two with the same number.
        held: The ledger's rows about their numbers, before this batch.
        several: Boxes with more than one stream.
    """
    result = Sorted()
    for row in rows:
        again = holds(held, row["stream"], row["seq"])
        there = _same_number(connection, table, row) if again else None
        if there is not None:
            if any(there[name] != row[name] for name in CONTENT[table]):
                result.different.append(row)
            continue
        if Box(row["site"], row["device"]) not in several:
            result.fresh.append(row)
            continue
        twin = _twin(connection, table, row)
        if twin is not None:
            this = update(table).where(table.c.stream == twin.stream, table.c.seq == twin.seq)
            connection.execute(this.values(stream=row["stream"], seq=row["seq"]))
        else:
            _add(result.fresh, row, table)
    return result


def _add(fresh: list[dict[str, Any]], row: dict[str, Any], table: Table) -> None:
    """Add a row, in the place of one of the same content in another stream: both may come in one batch."""
    same = ("site", "device", "at_ms", *CONTENT[table])
    for index, other in enumerate(fresh):
        if other["stream"] != row["stream"] and all(other[name] == row[name] for name in same):
            fresh[index] = row
            return
    fresh.append(row)


def _same_number(connection: Connection, table: Table, row: dict[str, Any]) -> Any:
    columns = [table.c[name] for name in CONTENT[table]]
    statement = select(*columns).where(table.c.stream == row["stream"], table.c.seq == row["seq"])
    return connection.execute(statement).mappings().first()


def _twin(connection: Connection, table: Table, row: dict[str, Any]) -> Any:
    """Return the number of a row of the same content in another stream of the same box."""
    same = [table.c[name].is_not_distinct_from(row[name]) for name in CONTENT[table]]
    of_box = [table.c[name] == row[name] for name in ("site", "device", "at_ms")]
    statement = select(table.c.stream, table.c.seq).where(*of_box, *same, table.c.stream != row["stream"])
    return connection.execute(statement.order_by(table.c.stream, table.c.seq).limit(1)).first()
