"""Forgets what is too old, but nothing with which an entry that still waits may have to be merged."""

from sqlalchemy import Connection, delete, select, tuple_

from agent.store.merging import DAY_S
from agent.store.schema import event as event_table
from agent.store.schema import measure as measure_table
from agent.store.schema import merged
from agent.store.schema import rollup as rollup_table
from cloud_sync.outbox.schema import channel_by_window, outbox
from cloud_sync.wire import Channel

CHUNK_ROWS = 5000


def delete_older(connection: Connection, before_utc_ns: int) -> int:
    """Delete up to a chunk of what is older than the limit; return how many rows, 0 when none are left.

    In chunks, so that other writes never wait long. The outbox is not touched: it holds its own copy of what is unsent.
    Rollups go by whole days of UTC, and not while an entry with windows of that day waits: merged into an hour or a
    day, it must hold all that was observed, also what was sent before. What says that a window was merged goes with
    its sums: without them a part that comes later would replace in the cloud what it should be added to.
    """
    before_s = before_utc_ns // 1_000_000_000 // DAY_S * DAY_S
    day = outbox.c.window_start_s - outbox.c.window_start_s % DAY_S
    waiting = select(day).where(outbox.c.window_start_s < before_s, channel_by_window == Channel.ROLLUP)
    kept = set(connection.execute(waiting.distinct()).scalars())
    gone = 0
    for table in (merged, rollup_table, measure_table):
        start_s = table.c.window_start_s
        is_old = (start_s < before_s) & (start_s - start_s % DAY_S).not_in(kept)
        key = list(table.primary_key)
        gone += connection.execute(
            delete(table).where(tuple_(*key).in_(select(*key).where(is_old).limit(CHUNK_ROWS)))
        ).rowcount
    old = select(event_table.c.id).where(event_table.c.utc_ns < before_utc_ns).limit(CHUNK_ROWS)
    return gone + connection.execute(delete(event_table).where(event_table.c.id.in_(old))).rowcount
