"""What every cloud database promises, PostgreSQL or SQLite: batches are stored exactly once in effect."""

import json
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, select

from cloud_sync.ingest import ledger, schema
from cloud_sync.ingest.database import tables_of
from cloud_sync.ingest.streams import COPIED
from cloud_sync.ingest.tables import Range
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import (
    AckMessage,
    Box,
    Channel,
    RollupRow,
    StateMessage,
)
from tests.faults.ends import BOX, birth_message, health_message, rollup_row
from tests.ingest.messages import NOW_MS, STREAM, arrived, event, put, rollups, rows


def test_same_batch_twice_is_stored_once(database: Engine) -> None:
    """A batch that comes again changes nothing, and is acknowledged again."""
    batch = [rollups(1, rollup_row(1), rollup_row(2)), event(2), rollups(3, rollup_row(3), count=4)]
    first = put(database, *batch)
    before = [rows(database, table) for table in (schema.rollup, schema.event, schema.received)]
    assert put(database, *batch) == first == {BOX: [AckMessage(stream=STREAM, through=6)]}
    assert [rows(database, table) for table in (schema.rollup, schema.event, schema.received)] == before
    assert [len(table) for table in before] == [3, 1, 1]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_highest_revision_wins_in_any_order(database: Engine, order: tuple[int, ...]) -> None:
    """Of the revisions of one window the highest stays, in one batch or in several, in whatever order they come."""
    for seq, revision in enumerate(order, start=1):
        put(database, rollups(seq, rollup_row(1, revision=revision, unique_tracks=10 * revision)))
    assert [(row.revision, row.unique_tracks) for row in rows(database, schema.rollup)] == [(3, 30)]
    put(database, *(rollups(10 + n, rollup_row(2, revision=n, unique_tracks=n)) for n in order))
    assert [row.unique_tracks for row in rows(database, schema.rollup)] == [30, 3]


def test_equal_revision_changes_nothing(database: Engine) -> None:
    """What is stored stays as it is when the same revision comes with other numbers."""
    put(database, rollups(1, rollup_row(1, unique_tracks=5)))
    put(database, rollups(2, rollup_row(1, unique_tracks=6)))
    assert [row.unique_tracks for row in rows(database, schema.rollup)] == [5]


def test_boxes_do_not_mix(database: Engine) -> None:
    """Two boxes with the same cameras keep their own rows."""
    other = Box("orchard", "box-2")
    put(database, rollups(1, rollup_row(1)), rollups(1, rollup_row(1), box=other, stream="f" * 32))
    assert len(rows(database, schema.rollup)) == 2
    assert {(row.site, row.device) for row in rows(database, schema.stream)} == {
        ("orchard", "box-1"),
        ("orchard", "box-2"),
    }


def test_stream_of_another_box_is_refused(database: Engine) -> None:
    """A stream belongs to the box that used it first; what another sends under it is set aside, unacknowledged."""
    thief = Box("orchard", "box-2")
    put(database, rollups(1, rollup_row(1)))
    acks = put(database, rollups(2, rollup_row(2), box=thief), event(3))
    assert acks.pop(BOX) == [AckMessage(stream=STREAM, through=1, ranges=((3, 3),))]
    assert acks == {thief: [AckMessage(stream=STREAM, through=0, remint=COPIED)]}
    assert [row.reason for row in rows(database, schema.quarantine)] == [f"stream {STREAM} belongs to orchard/box-1"]
    assert len(rows(database, schema.rollup)) == 1
    both = "e" * 32
    acks = put(database, event(1, stream=both), event(2, box=thief, stream=both))
    assert acks[BOX] == [AckMessage(stream=both, through=1)]


def test_poison_does_not_block_its_batch(database: Engine) -> None:
    """Messages that are none are kept with topic and reason; the good ones of the same batch are stored."""
    topic = BOX.topic(Channel.ROLLUP)
    poison = [
        Arrived(1, 1, topic, b"\xff\x00", False, None),
        Arrived(1, 1, topic, b"{}", False, "br"),
        Arrived(1, 1, "hedgerow/v1/Orchard/box/rollup", b"{}", False, None),
        Arrived(1, 1, "", b"", False, None),
        Arrived(1, 1, topic, b"x" * 100_000, False, "zlib"),
    ]
    acks = put(database, poison[0], rollups(1, rollup_row(1)), *poison[1:], event(2))
    assert acks == {BOX: [AckMessage(stream=STREAM, through=2)]}
    kept = {row.topic + (row.encoding or ""): row for row in rows(database, schema.quarantine)}
    assert len(kept) == 5
    assert kept[topic].payload == b"\xff\x00"
    assert "Invalid JSON" in kept[topic].reason
    assert "content-encoding 'br' is not known" in kept[topic + "br"].reason
    assert "'Orchard' is no site or device name" in kept["hedgerow/v1/Orchard/box/rollup"].reason
    assert (kept[topic + "zlib"].size_bytes, len(kept[topic + "zlib"].payload)) == (100_000, 65_536)


def test_same_poison_is_counted(database: Engine) -> None:
    """A message that is sent again and again fills one row, not the disk."""
    for turn in range(3):
        put(database, Arrived(1, 1, "hedgerow/v1/a/b/event", b"{", False, None), now_ms=NOW_MS + turn)
    [row] = rows(database, schema.quarantine)
    assert (row.times, row.first_ms, row.last_ms) == (3, NOW_MS, NOW_MS + 2)


def test_quarantine_is_bounded(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ever new poison the newest is kept."""
    monkeypatch.setattr("cloud_sync.ingest.quarantine.QUARANTINE_ROWS", 3)
    for turn in range(6):
        put(database, Arrived(1, 1, "hedgerow/v1/a/b/event", b"%d" % turn, False, None), now_ms=NOW_MS + turn)
    assert sorted(row.payload for row in rows(database, schema.quarantine)) == [b"3", b"4", b"5"]


def test_sign_of_life_is_what_the_box_says_itself(database: Engine) -> None:
    """Data and health show that a box lives; a will, and what the broker kept, do not."""
    state = StateMessage(state="online", boot=4, since_ms=7)
    put(
        database, arrived(Channel.STATE, state, retain=True), arrived(Channel.BIRTH, birth_message(STREAM), retain=True)
    )
    [row] = rows(database, schema.device)
    assert (row.state, row.state_since_ms, row.boot, row.last_seen_ms) == ("online", 7, 4, None)
    assert json.loads(row.birth)["stream"] == STREAM
    put(database, arrived(Channel.HEALTH, health_message()), now_ms=NOW_MS + 1)
    put(database, arrived(Channel.STATE, StateMessage(state="offline", boot=4, since_ms=8)), now_ms=NOW_MS + 2)
    [row] = rows(database, schema.device)
    assert (row.state, row.last_seen_ms) == ("offline", NOW_MS + 1)
    put(database, event(1), now_ms=NOW_MS + 3)
    assert rows(database, schema.device)[0].last_seen_ms == NOW_MS + 3


def test_ack_tells_the_ranges_of_the_batch(database: Engine) -> None:
    """An ack names what is durable without a gap, and beyond it only the ranges that hold what the batch brought."""
    put(database, event(1), event(2), event(5), event(8), event(20))
    [ack] = put(database, event(6), event(21))[BOX]
    assert (ack.through, ack.ranges) == (2, ((5, 6), (20, 21)))
    [ack] = put(database, event(3), event(4))[BOX]
    assert (ack.through, ack.ranges) == (6, ())


def note(connection: Connection, batch: list[tuple[int, int]]) -> list[tuple[int, int]]:
    tables = tables_of(connection)
    ranges = ledger.merged(Range(STREAM, first, last) for first, last in batch)
    return ledger.add(connection, tables, ranges, tables.touching(connection, ranges))[STREAM]


span = st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(span, min_size=1, max_size=6), min_size=1, max_size=6))
def test_ledger_is_the_set_of_what_came(database: Engine, batches: list[list[tuple[int, int]]]) -> None:
    """Whatever ranges come in whatever order, the ledger holds their numbers, in as few ranges as possible."""
    with database.begin() as connection:
        connection.execute(schema.received.delete())
        come: set[int] = set()
        for batch in batches:
            note(connection, batch)
            come |= {number for first, last in batch for number in range(first, last + 1)}
            held = note(connection, batch)  # once more: it changes nothing
            ack = ledger.ack(STREAM, held, [first for first, _ in batch])
            _check_ack(ack, come, batch)
        held = connection.execute(select(schema.received).order_by(schema.received.c.first)).all()
    assert {number for row in held for number in range(row.first, row.last + 1)} == come
    assert all(later.first > earlier.last + 1 for earlier, later in pairwise(held))


def _check_ack(ack: AckMessage, come: set[int], batch: list[tuple[int, int]]) -> None:
    told = set(range(1, ack.through + 1)) | {n for first, last in ack.ranges for n in range(first, last + 1)}
    assert told <= come
    assert ack.through + 1 not in come
    assert all(set(range(first, last + 1)) <= told for first, last in batch)


def test_largest_numbers_fit(database: Engine) -> None:
    """The largest values that the wire allows fit the database."""
    most = 2**53 - 1
    row = RollupRow("c" * 256, "z", "k", most, most, most, most, most, most, 1e300, most, 1.0)
    assert put(database, rollups(2**63 - 4, row, row._replace(start=0)), event(2**63 - 3))
    assert len(rows(database, schema.rollup)) == 2


def test_boundless_stream_of_holes_is_answered_briefly(database: Engine) -> None:
    """A stream with thousands of holes gets an ack of the size of the batch."""
    with database.begin() as connection:
        note(connection, [(seq, seq) for seq in range(1, 4000, 2)])
    [ack] = put(database, event(4000), event(4002))[BOX]
    assert (ack.through, ack.ranges) == (1, ((3999, 4000), (4002, 4002)))
    with database.connect() as connection:
        assert connection.execute(select(func.count()).select_from(schema.received)).scalar_one() == 2001
