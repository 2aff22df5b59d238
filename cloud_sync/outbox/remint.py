"""A new stream for the same outbox: what waits is numbered anew, from 1 on and in order."""

import json
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from uuid import uuid4

from sqlalchemy import Connection, bindparam, select, update

from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.ranges import merge
from cloud_sync.wire import Channel

AT_ONCE = 1000
"""Entries numbered in one statement."""


def remint(connection: Connection) -> str:
    """Begin a new stream in the caller's write transaction; return its id.

    The entries that wait keep their order and are numbered from 1 without gaps, together with the seqs that shed
    records among them name: those stay missing, and the records go on to say so, in the numbers of the new stream.
    """
    waiting = array("q", connection.execute(select(outbox.c.seq).order_by(outbox.c.seq)).scalars())
    numbers = _Numbers(waiting, _named(connection))
    _rename_in_records(connection, numbers)
    _renumber(connection, numbers)
    fresh = uuid4().hex
    connection.execute(update(stream).values(id=fresh, next_seq=numbers.count + 1))
    return fresh


def is_current(connection: Connection, stream_id: str) -> bool:
    """Tell whether entries still have the numbers of this stream: who asked may have waited behind a new one."""
    return bool(connection.execute(select(stream.c.id)).scalar_one() == stream_id)


class _Numbers:
    """From old numbers to new ones, of entries that wait and of what is named as missing among them."""

    def __init__(self, waiting: Sequence[int], named: Sequence[tuple[int, int]]) -> None:
        """Take both in ascending order; they have no number in common."""
        self.waiting = waiting
        self._firsts = [first for first, _ in named]
        self._lasts = [last for _, last in named]
        self._named_before = [*accumulate((last - first + 1 for first, last in named), initial=0)]
        self.count = len(waiting) + self._named_before[-1]

    def new(self, old: int) -> int:
        """Return the new number, which is never above the old one."""
        index = bisect_left(self._firsts, old)
        beyond = max(0, self._lasts[index - 1] - old + 1) if index else 0
        return bisect_left(self.waiting, old) + self._named_before[index] - beyond + 1


def _named(connection: Connection) -> list[tuple[int, int]]:
    bodies = connection.execute(select(outbox.c.body).where(outbox.c.channel == Channel.SHED)).scalars()
    return merge((first, last) for body in bodies for first, last in json.loads(body)["ranges"])


def _rename_in_records(connection: Connection, numbers: _Numbers) -> None:
    """Write the new numbers of what is missing into the records. A range stays whole: nothing waits inside it."""
    for seq in connection.execute(select(outbox.c.seq).where(outbox.c.channel == Channel.SHED)).scalars().all():
        fields = json.loads(connection.execute(select(outbox.c.body).where(outbox.c.seq == seq)).scalar_one())
        fields["ranges"] = [[numbers.new(end) for end in ends] for ends in fields["ranges"]]
        body = json.dumps(fields, separators=(",", ":")).encode()
        connection.execute(update(outbox).where(outbox.c.seq == seq).values(body=body))


def _renumber(connection: Connection, numbers: _Numbers) -> None:
    """Number the entries in ascending order: so each new number is free by then."""
    change = update(outbox).where(outbox.c.seq == bindparam("old")).values(seq=bindparam("new"))
    for start in range(0, len(numbers.waiting), AT_ONCE):
        olds = numbers.waiting[start : start + AT_ONCE]
        pairs = [{"old": old, "new": new} for old in olds if (new := numbers.new(old)) != old]
        if pairs:
            connection.execute(change, pairs)
