"""The outbox's verbs, on a real database with the real writer."""

import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from cloud_sync.outbox import (
    append,
    append_event,
    append_evidence,
    oldest_window,
    read_depth,
    read_quarantine,
    shed_oldest,
)
from cloud_sync.outbox.settling import AT_ONCE
from cloud_sync.wire import (
    DATA_CHANNELS,
    Channel,
    EvidenceMessage,
    ShedMessage,
    WindowRow,
    decode,
    encode,
    window_rows_of,
)
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
    again = BoxEnd(Path(path))
    assert again.outbox.stream == box.outbox.stream
    assert again.outbox.last_seq() == 1
    again.close()


def test_totals_are_kept_while_entries_come_and_go(box: BoxEnd) -> None:
    """What waits is told by channel, and matches a count after appends, settling, failures and a new stream."""
    box.add_rollups(0, 3).result(5)
    box.add_event("e").result(5)
    box.add_event("a", channel=Channel.ALARM).result(5)
    box.outbox.settle(through=1, ranges=[(4, 4)]).result(5)
    box.outbox.quarantine(2, "too large").result(5)
    box.outbox.remint("a copy").result(5)

    def fail(connection):
        append_event(connection, {"kind": "lost"}, boot=1, created_utc_ns=0)
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        box.writer.submit(fail).result(5)
    counted = {}
    for entry in box.outbox.read(DATA_CHANNELS, after_seq=0, limit=100):
        entries, size_bytes = counted.get(entry.channel, (0, 0))
        counted[entry.channel] = (entries + 1, size_bytes + len(entry.body))
    depth = box.outbox.depth()
    assert {each.channel: (each.entries, each.size_bytes) for each in depth.channels} == counted
    assert sorted(counted) == ["alarm", "rollup", "shed"]
    assert depth.size_bytes == sum(size_bytes for _, size_bytes in counted.values())


def test_no_question_reads_the_whole_outbox(box: BoxEnd) -> None:
    """Depth, reading, settling and the look for what can be merged go by an index: a million rows cost as one does."""
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    box.add_rollups(0, 3).result(5)
    box.add_event("e").result(5)
    event.listen(Engine, "before_cursor_execute", note)
    box.outbox.depth()
    box.outbox.read(DATA_CHANNELS, after_seq=1, limit=5)
    box.outbox.last_seq()
    box.outbox.settled_through()
    box.writer.submit(lambda c: oldest_window(c, length_s=3600, spare_from_s=0, spare_to_s=0)).result(5)
    box.writer.submit(lambda c: shed_oldest(c, Channel.EVENT, at_ms=1, boot=1, reason="rows")).result(5)
    box.outbox.settle(through=1, ranges=[(2, 2)]).result(5)
    event.remove(Engine, "before_cursor_execute", note)
    with box._read.connect() as connection:
        plans = [
            (statement, row.detail)
            for statement, parameters in asked
            if statement.startswith(("SELECT", "DELETE", "UPDATE"))
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        ]
    whole = [plan for plan in plans if plan[1].split()[:2] == ["SCAN", "outbox"] or "TEMP B-TREE" in plan[1]]
    assert len(plans) > 10
    assert whole == []


def test_confirmed_entries_leave_in_small_transactions(box: BoxEnd) -> None:
    """A confirmation of thousands of entries lets other writers in between, and says how many left in the end."""
    body = b'{"kind":"e","at_ms":1}'

    def many(connection):
        for _ in range(2 * AT_ONCE + 10):
            append(connection, Channel.EVENT, body, boot=1, created_utc_ns=0)

    box.writer.submit(many).result(60)
    seen = []
    settling = box.outbox.settle(through=2 * AT_ONCE + 5)
    while not settling.done():
        box.writer.submit(lambda connection: seen.append(read_depth(connection).entries)).result(5)
    assert settling.result() == 2 * AT_ONCE + 5
    assert box.outbox.depth().entries == 5
    assert any(5 < entries < 2 * AT_ONCE + 10 for entries in seen)


def sent(box: BoxEnd, entry) -> dict:
    """The fields of an entry as the wire takes them."""
    return {**entry.fields(), "stream": box.outbox.stream, "seq": entry.seq, "boot": entry.boot}


@pytest.mark.parametrize("channel", [Channel.ALARM, Channel.EVENT])
def test_quarantine_is_told(box: BoxEnd, channel: Channel) -> None:
    """The cloud hears which entry never comes, why, and which windows were in it; an unsendable record adds none."""
    box.add_event("e", channel=channel).result(5)
    box.add_rollups(0, 1).result(5)
    for seq in (1, 2):
        box.outbox.quarantine(seq, "x" * 1000).result(5)
    first, second = (
        ShedMessage.model_validate(sent(box, entry)) for entry in box.outbox.read([Channel.SHED], after_seq=0, limit=9)
    )
    assert (first.channel, first.reason, first.became, first.ranges) == (channel, "rejected", "nothing", ((1, 1),))
    assert second.ranges == ((2, 2),)
    assert window_rows_of(second.windows) == [WindowRow("north", rollup_row(n).start, 60) for n in (0, 1)]
    box.outbox.quarantine(3, "too large").result(5)
    assert box.waiting() == [4]
    with box._read.connect() as connection:
        aside = read_quarantine(connection, limit=2)
    assert [(each.seq, each.channel, each.reason) for each in aside] == [
        (3, "shed", "too large"),
        (2, "rollup", "x" * 1000),
    ]


def test_body_that_says_nothing_is_set_aside_all_the_same(box: BoxEnd) -> None:
    """A rollup whose body is no rollup is told without its windows."""
    for body in (
        b"not json",
        b'{"rollups":[[1]],"measures":[]}',
        b'{"rollups":[[1,2,3,"x",5,6,7,8,9,0,1,2,3]],"measures":[]}',
    ):
        seq = box.add_raw(Channel.ROLLUP, body).result(5)
        box.outbox.quarantine(seq, "broken").result(5)
    records = [
        ShedMessage.model_validate(sent(box, entry)) for entry in box.outbox.read([Channel.SHED], after_seq=0, limit=9)
    ]
    assert [record.ranges for record in records] == [((1, 1),), ((3, 3),), ((5, 5),)]
    assert [record.windows for record in records] == [None] * 3


def test_evidence_travels_as_the_wire_says(box: BoxEnd) -> None:
    """A picture comes out of the outbox byte for byte."""
    fields = {"kind": "loitering", "camera": "north", "at_ms": 5, "width": 64, "height": 48, "data": {"zone": "yard"}}
    jpeg = bytes(range(256)) * 3 + b"\xff\xfe\xfb"
    box.writer.submit(lambda c: append_evidence(c, fields, jpeg, boot=1, created_utc_ns=0)).result(5)
    (entry,) = box.outbox.read([Channel.EVIDENCE], after_seq=0, limit=9)
    message = EvidenceMessage.model_validate(sent(box, entry))
    assert (message.jpeg, message.width, message.data) == (jpeg, 64, {"zone": "yard"})
    again = decode(Channel.EVIDENCE, encode(message).payload, encode(message).encoding)
    assert again == message


def test_new_stream_numbers_what_waits_from_one(box: BoxEnd) -> None:
    """A new stream has what waited, in order, from 1 without gaps but for what a waiting record names as missing."""
    box.add_rollups(0, 2).result(5)  # 1 to 2
    for number in range(4):
        box.add_event(f"e{number}").result(5)  # 3 to 6
    box.outbox.quarantine(4, "too large").result(5)  # told by 7
    box.outbox.quarantine(5, "too large").result(5)  # told by 8
    box.add_event("last").result(5)  # 9
    box.outbox.settle(through=1, ranges=[(7, 7)]).result(5)
    before = box.outbox.stream
    now = box.outbox.remint("the cloud knows another box by it").result(5)
    assert now != before
    assert box.outbox.stream == now
    # 2 3 (4: told, settled) (5: named by 8) 6 8 9
    kinds = {entry.seq: entry.fields().get("kind") for entry in box.outbox.read(DATA_CHANNELS, after_seq=0, limit=99)}
    assert kinds == {1: None, 2: "e0", 4: "e3", 5: None, 6: "last"}
    (record,) = box.outbox.read([Channel.SHED], after_seq=0, limit=9)
    assert record.fields()["ranges"] == [[3, 3]]
    assert box.outbox.last_seq() == 6
    assert box.add_event("next").result(5) == 7
    box.outbox.quarantine(1, "again number 1").result(5)
    box.outbox.remint("and again").result(5)
    assert box.outbox.quarantine(1, "once more").result(5) is False


def test_old_numbers_that_waited_behind_a_new_stream_do_nothing(box: BoxEnd) -> None:
    """A writer that was held up for long may find a settle by old numbers behind the new stream: other entries have
    them by then."""
    for number in range(4):
        box.add_event(f"e{number}").result(5)
    box.outbox.settle(through=2).result(5)
    held = threading.Event()
    box.writer.submit(lambda _connection: held.wait(10))
    minted = box.outbox.remint("a copy")
    settled = box.outbox.settle(through=1, ranges=[(2, 2)])
    aside = box.outbox.quarantine(1, "too large")
    held.set()
    assert minted.result(10) == box.outbox.stream
    assert settled.result(10) == 0
    aside.result(10)
    assert box.waiting() == [1, 2]
    assert box.quarantined() == {}
    assert box.outbox.settle(through=1).result(5) == 1


def test_thousands_of_entries_get_a_new_stream(box: BoxEnd) -> None:
    """Numbers beyond one statement stay in order, each used once, and bodies stay with them."""

    def many(connection):
        for number in range(2500):
            append(connection, Channel.EVENT, b"%d" % number, boot=1, created_utc_ns=0)

    box.writer.submit(many).result(60)
    box.outbox.settle(through=0, ranges=[(n, n) for n in range(3, 2400, 7)]).result(5)
    bodies = [entry.body for entry in box.outbox.read([Channel.EVENT], after_seq=0, limit=9999)]
    box.outbox.remint("a backup").result(30)
    after = box.outbox.read([Channel.EVENT], after_seq=0, limit=9999)
    assert [entry.body for entry in after] == bodies
    assert [entry.seq for entry in after] == list(range(1, len(bodies) + 1))


def test_ranges_stay_ranges_in_a_new_stream(box: BoxEnd) -> None:
    """What a waiting record names as missing, from first to last, it names in the numbers of the new stream, too."""
    box.add_rollups(0, 3).result(5)  # 1 to 3
    for number in range(5):
        box.add_event(f"e{number}").result(5)  # 4 to 8
    box.add_event("alarm", channel=Channel.ALARM).result(5)  # 9
    box.writer.submit(lambda c: shed_oldest(c, Channel.EVENT, at_ms=1, boot=1, reason="rows")).result(5)  # 10
    box.outbox.settle(through=2).result(5)
    box.outbox.remint("a copy").result(5)
    waiting = {entry.seq: entry.channel for entry in box.outbox.read(DATA_CHANNELS, after_seq=0, limit=99)}
    assert waiting == {1: Channel.ROLLUP, 7: Channel.ALARM, 8: Channel.SHED}
    (record,) = box.outbox.read([Channel.SHED], after_seq=0, limit=9)
    assert record.fields()["ranges"] == [[2, 6]]


def test_alarms_and_records_are_never_given_up(box: BoxEnd) -> None:
    """Whoever asks for it is refused, and nothing leaves."""
    box.add_event("alarm", channel=Channel.ALARM).result(5)
    for channel in (Channel.ALARM, Channel.SHED, Channel.ROLLUP):
        work = partial(shed_oldest, channel=channel, at_ms=1, boot=1, reason="rows")
        with pytest.raises(ValueError, match="allowed: event, evidence"):
            box.writer.submit(work).result(5)
    assert box.waiting() == [1]
