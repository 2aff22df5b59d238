"""What the link carried, by day."""

from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from cloud_sync.outbox.schema import usage as table

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of one day (UTC), as they were on the wire."""

    sent_bytes: int = 0
    received_bytes: int = 0
    data_bytes: int = 0  # of those sent, the packets with entries of the outbox

    @property
    def total_bytes(self) -> int:
        """Return what a provider counts."""
        return self.sent_bytes + self.received_bytes

    def __add__(self, other: "Usage") -> "Usage":
        """Return both together."""
        return Usage(
            self.sent_bytes + other.sent_bytes,
            self.received_bytes + other.received_bytes,
            self.data_bytes + other.data_bytes,
        )


def add_usage(connection: Connection, day: int, more: Usage) -> None:
    """Add to a day (counted since 1970, UTC), in the caller's write transaction."""
    row = {"sent_bytes": more.sent_bytes, "received_bytes": more.received_bytes, "data_bytes": more.data_bytes}
    added = insert(table).values(day=day, **row)
    sums = {name: table.c[name] + added.excluded[name] for name in row}
    connection.execute(added.on_conflict_do_update(index_elements=[table.c.day], set_=sums))


def read_usage(connection: Connection, day: int) -> Usage:
    """Return what a day has carried so far."""
    query = select(table.c.sent_bytes, table.c.received_bytes, table.c.data_bytes).where(table.c.day == day)
    row = connection.execute(query).first()
    return Usage() if row is None else Usage(*row)
