"""Which box a stream belongs to, and which of its seqs are durable here."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from cloud_sync.ingest.schema import received, stream
from cloud_sync.wire import AckMessage, Box


def claim(connection: Connection, stream_id: str, box: Box, now_ms: int) -> Box:
    """Return the box that a stream belongs to: ``box``, unless another one used the stream before."""
    row = {"id": stream_id, "site": box.site, "device": box.device, "first_seen_ms": now_ms}
    connection.execute(upsert(stream).values(row).on_conflict_do_nothing())
    owner = connection.execute(select(stream.c.site, stream.c.device).where(stream.c.id == stream_id)).one()
    return Box(owner.site, owner.device)


def add(connection: Connection, stream_id: str, first: int, last: int) -> None:
    """Note that the seqs ``first`` to ``last`` are stored, in the transaction that stores them."""
    of_stream = received.c.stream == stream_id
    ends = select(received.c.first, received.c.last)
    before = connection.execute(
        ends.where(of_stream, received.c.first <= first).order_by(received.c.first.desc()).limit(1)
    ).all()
    after = connection.execute(ends.where(of_stream, received.c.first > first, received.c.first <= last + 1)).all()
    touching = [row for row in (*before, *after) if row.last >= first - 1]
    if touching:
        connection.execute(delete(received).where(of_stream, received.c.first.in_([row.first for row in touching])))
    merged_first = min([first, *(row.first for row in touching)])
    merged_last = max([last, *(row.last for row in touching)])
    connection.execute(insert(received).values(stream=stream_id, first=merged_first, last=merged_last))


def ack(connection: Connection, stream_id: str, seqs: Iterable[int]) -> AckMessage:
    """Return what the box may forget.

    Args:
        connection: In the transaction that stored them.
        stream_id: The box's stream.
        seqs: One of each message that the batch brought: the ranges beyond ``through`` that hold these are told, no
            others, so that the ack stays small however many holes a stream has.
    """
    ends = select(received.c.first, received.c.last).where(received.c.stream == stream_id)
    through = connection.execute(ends.where(received.c.first == 1)).first()
    through_last = through.last if through is not None else 0
    ranges: set[tuple[int, int]] = set()
    for seq in sorted(seqs):
        if seq > through_last and not any(first <= seq <= last for first, last in ranges):
            holder = ends.where(received.c.first <= seq).order_by(received.c.first.desc()).limit(1)
            first, last = connection.execute(holder).one()
            ranges.add((first, last))
    return AckMessage(stream=stream_id, through=through_last, ranges=tuple(sorted(ranges)))
