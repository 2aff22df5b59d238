"""The outbox's verbs, on a real database with the real writer."""

import pytest

from cloud_sync.outbox import append_event
from cloud_sync.wire import Channel
from tests.faults.ends import BoxEnd, rollup_row


def test_entries_are_numbered_without_gaps(box: BoxEnd) -> None:
    """Seqs count from 1 without gaps, also when a transaction in between fails."""
    box.add_rollups(0, 3).result(5)

    def fail(connection):
        append_event(connection, {"kind": "lost"}, boot=1, created_utc_ns=0)
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        box.writer.submit(fail).result(5)
    assert box.add_event("kept").result(5) == 4
    assert box.waiting() == [1, 2, 3, 4]
    assert box.outbox.last_seq() == 4


def test_entries_come_back_as_they_went_in(box: BoxEnd) -> None:
    """Reading gives what was appended: rows, fields, boot."""
    box.add_rollups(7, 1, boot=5).result(5)
    box.add_event("camera-state", state="live").result(5)
    rollup, event = box.outbox.read([Channel.ROLLUP, Channel.EVENT], after_seq=0, limit=10)
    assert rollup.rows() == [rollup_row(14), rollup_row(15)]
    assert (rollup.seq, rollup.boot, rollup.channel) == (1, 5, Channel.ROLLUP)
    assert event.fields() == {"kind": "camera-state", "camera": None, "at_ms": 1, "data": {"state": "live"}}


def test_reading_is_by_channel_and_in_order(box: BoxEnd) -> None:
    """A channel is read oldest first, from beyond a seq, and not more than asked for."""
    for number in range(6):
        (box.add_event("e") if number % 2 else box.add_rollups(number, 1)).result(5)
    seqs = [entry.seq for entry in box.outbox.read([Channel.ROLLUP], after_seq=1, limit=1)]
    assert seqs == [3]
    assert [entry.seq for entry in box.outbox.read([Channel.EVENT], after_seq=0, limit=9)] == [2, 4, 6]


def test_settled_entries_leave(box: BoxEnd) -> None:
    """What the cloud has is dropped: all up to a seq, and ranges beyond it, and nothing else."""
    assert box.outbox.settled_through() == 0
    box.add_rollups(0, 10).result(5)
    assert box.outbox.settle(through=3, ranges=[(5, 6), (9, 9), (20, 30)]).result(5) == 6
    assert box.waiting() == [4, 7, 8, 10]
    assert box.outbox.settled_through() == 3
    box.outbox.settle(through=10).result(5)
    assert box.outbox.settled_through() == 10


def test_quarantined_entry_is_aside_for_ever(box: BoxEnd) -> None:
    """An entry that can never be sent is kept with the reason, out of the way, once."""
    box.add_rollups(0, 2).result(5)
    for _ in range(2):
        box.outbox.quarantine(1, "too large").result(5)
    assert box.quarantined() == {1: "too large"}
    assert box.waiting() == [2, 3]
    depth = box.outbox.depth()
    assert (depth.entries, depth.quarantined, depth.oldest_utc_ns) == (2, 1, 0)


def test_database_keeps_its_stream(box: BoxEnd) -> None:
    """The stream belongs to the database: who opens it again continues it."""
    box.add_rollups(0, 1).result(5)
    with box._read.connect() as connection:
        path = connection.exec_driver_sql("PRAGMA database_list").one().file
    again = BoxEnd(path)
    assert again.outbox.stream == box.outbox.stream
    assert again.outbox.last_seq() == 1
    again.close()
