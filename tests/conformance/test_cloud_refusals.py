"""What the database of a cloud will never take is set aside, and the box is told: on PostgreSQL and on SQLite."""

import pytest
from sqlalchemy import Engine, text

from cloud_sync.ingest import schema
from cloud_sync.ingest.committing import CannotStoreError, commit
from cloud_sync.ingest.inbox import Incoming, Refused, read
from cloud_sync.ingest.streams import COPIED
from cloud_sync.wire import AckMessage, Box, Channel, EventMessage, Refusal
from tests.faults.ends import BOX, rollup_row
from tests.ingest.forbidding import FORBIDDEN, forbid, forbidden_row, row_beyond_an_index
from tests.ingest.messages import NOW_MS, STREAM, arrived, event, put, rollups, rows


def refused(acks: dict[Box, list[AckMessage]], box: Box = BOX) -> list[Refusal]:
    return [refusal for ack in acks.get(box, []) for refusal in ack.refused]


def test_refused_message_is_told_and_the_rest_is_stored(database: Engine) -> None:
    """Of a batch the message at fault is in the quarantine and named to its box with the reason; the others are in."""
    forbid(database)
    acks = put(database, event(1), event(2, FORBIDDEN), rollups(3, rollup_row(1), forbidden_row(), count=4), event(7))
    told = {(first, last): why for first, last, why in refused(acks)}
    assert set(told) == {(2, 2), (3, 6)}
    assert "the database refuses it" in told[2, 2]
    assert "no_event" in told[2, 2]
    assert "no_rollup" in told[3, 6]
    kept = rows(database, schema.quarantine)
    assert sorted(row.topic for row in kept) == [BOX.topic(Channel.EVENT), BOX.topic(Channel.ROLLUP)]
    assert {row.reason[:200] for row in kept} == set(told.values())
    assert [row.seq for row in rows(database, schema.event)] == [1, 7]
    assert [(row.first, row.last) for row in rows(database, schema.received)] == [(1, 1), (7, 7)]
    assert {seq for seq in range(1, 8) if any(ack.holds(seq, seq) for ack in acks[BOX])} == {1, 7}


def test_refused_message_is_told_each_time(database: Engine) -> None:
    """A box that missed the answer sends again and is told again; the quarantine counts."""
    forbid(database)
    for turn in range(3):
        [refusal] = refused(put(database, event(5, FORBIDDEN), now_ms=NOW_MS + turn))
        assert refusal[:2] == (5, 5)
    [row] = rows(database, schema.quarantine)
    assert row.times == 3


def test_refused_message_claims_its_stream(database: Engine) -> None:
    """A box whose first message of all is refused owns its stream; another box on it is told that, not "never"."""
    forbid(database)
    assert refused(put(database, event(1, FORBIDDEN)))
    thief = Box("orchard", "thief")
    acks = put(database, event(2, FORBIDDEN, box=thief))
    assert acks == {thief: [AckMessage(stream=STREAM, through=0, remint=COPIED)]}
    assert len(rows(database, schema.quarantine)) == 2


def test_stream_that_another_box_claimed_meanwhile(database: Engine) -> None:
    """Between the refusal and the quarantine another box may have claimed the stream: nobody is told "never"."""
    put(database, event(1))
    thief = Box("orchard", "thief")
    late = event(2, FORBIDDEN, box=thief)
    message = read(late)
    assert isinstance(message, Incoming)
    acks = commit(database, [Refused(late, "a rule", message)], now_ms=NOW_MS)
    assert acks == {thief: [AckMessage(stream=STREAM, through=0, remint=COPIED)]}
    assert [row.reason for row in rows(database, schema.quarantine)] == ["a rule"]


def test_stream_with_two_histories_is_not_told_never(database: Engine) -> None:
    """A box that is to begin a new stream hears that alone: by its old numbers nothing may be laid aside."""
    forbid(database)
    put(database, event(1, "a"))
    put(database, event(1, "b"))
    [ack] = put(database, event(2, FORBIDDEN))[BOX]
    assert ack.remint is not None
    assert ack.refused == ()


def test_what_is_no_message_is_not_told(database: Engine) -> None:
    """Bytes that cannot be read name no seq that could be believed: they are set aside, and no box hears of them."""
    good = event(9)
    broken = [good.__class__(1, 1, good.topic, good.payload[:-1], False, None)]
    assert put(database, *broken) == {}
    assert len(rows(database, schema.quarantine)) == 1


def test_nothing_is_told_before_it_is_in_the_quarantine(database: Engine) -> None:
    """Where the message cannot even be set aside, nobody is told anything, and the box keeps it."""
    forbid(database)
    with database.begin() as connection:
        connection.execute(text("DROP TABLE quarantine"))
    with pytest.raises(CannotStoreError):
        put(database, event(1, FORBIDDEN))
    assert rows(database, schema.stream) == []


def test_names_too_long_for_an_index(database: Engine) -> None:
    """A row that the wire allows and that PostgreSQL cannot index stops no worker: it is refused, or stored whole."""
    acks = put(database, event(1), rollups(2, row_beyond_an_index()), event(3))
    told = refused(acks)
    if database.dialect.name == "postgresql":
        assert [refusal[:2] for refusal in told] == [(2, 2)]
        assert "index row size" in told[0].reason
    else:
        assert told == []
        assert len(rows(database, schema.rollup)) == 1
    assert [row.seq for row in rows(database, schema.event)] == [1, 3]


def test_missing_partition_is_no_refusal(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that finds no partition may find one later: the box is not told "never", and keeps it."""
    from cloud_sync.ingest import open_database

    database = open_database(postgres_url)
    monkeypatch.setattr("cloud_sync.ingest.on_postgresql.make_partitions", lambda *_: None)
    with pytest.raises(CannotStoreError, match="no partition"):
        put(database, rollups(1, rollup_row(1)))
    assert rows(database, schema.quarantine) == []
    monkeypatch.undo()
    assert put(database, rollups(1, rollup_row(1))) == {BOX: [AckMessage(stream=STREAM, through=1)]}
    database.dispose()


def test_reason_is_cut_to_the_wire(database: Engine) -> None:
    """However long the database's words, the ack is a valid message with their beginning."""
    forbid(database)
    message = EventMessage(stream=STREAM, seq=1, boot=1, kind=FORBIDDEN, at_ms=1, data={"long": "x" * 5000})
    [refusal] = refused(put(database, arrived(Channel.EVENT, message)))
    assert len(refusal.reason) <= 200
