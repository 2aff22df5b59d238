"""What is promised to the cloud of rows that were stored, in the transaction that stores them."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection

from agent.store.rows import wire_measure, wire_row
from agent.types import MeasureRollup, Rollup
from cloud_sync.outbox import append_rollups

HOUR_S = 3600

Stored = tuple[Rollup | MeasureRollup, int]
"""A whole window as it is stored, and its revision."""


def promise(connection: Connection, rows: Iterable[Stored], *, created_utc_ns: int) -> None:
    """Add an entry for each boot, hour and length of window: such can be merged into longer windows later.

    The entry has the boot by whose clock its rows are told: where that clock turns out to have been wrong, the cloud
    puts right what has that number, whether it comes before or after the word of it.

    Args:
        connection: In a write transaction.
        rows: Each as it is stored now.
        created_utc_ns: For the entries.
    """
    entries: defaultdict[tuple[int, int, int], list[Stored]] = defaultdict(list)
    for whole, revision in rows:
        entries[whole.boot, whole.window_start_s // HOUR_S, whole.window_s].append((whole, revision))
    for (boot, _, _), some in sorted(entries.items(), key=lambda entry: entry[0]):
        append_rollups(
            connection,
            [wire_row(whole, revision) for whole, revision in some if isinstance(whole, Rollup)],
            [wire_measure(whole, revision) for whole, revision in some if isinstance(whole, MeasureRollup)],
            boot=boot,
            created_utc_ns=created_utc_ns,
        )
