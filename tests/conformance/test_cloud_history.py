"""What every cloud database promises of what boxes gave up, of pictures, and of streams with two histories."""

from dataclasses import replace
from itertools import permutations

import pytest
from sqlalchemy import Engine, func, select, text

from cloud_sync.ingest import schema
from cloud_sync.ingest.streams import COPIED, DIFFERENT, RESTORED
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import (
    AckMessage,
    BirthMessage,
    Box,
    Channel,
    EventMessage,
    EvidenceMessage,
    MeasureRow,
    RollupMessage,
    ShedMessage,
    WindowRow,
    columns_of,
    measure_columns_of,
    window_columns_of,
)
from tests.faults.ends import BOX, birth_message, rollup_row
from tests.ingest.messages import NOW_MS, STREAM, arrived, event, put, rollups, rows

HOUR = 1_700_002_800  # a whole one
FRESH = "f" * 32
ASKED = AckMessage(stream=STREAM, through=0, remint=RESTORED)


def minute(number: int, *, class_name: str = "apple", tracks: int = 1):
    return rollup_row(0, unique_tracks=tracks)._replace(start=HOUR + 60 * number, class_name=class_name)


def hour(*, class_name: str = "apple", tracks: int = 60, revision: int = 1):
    return minute(0, class_name=class_name, tracks=tracks)._replace(length=3600, revision=revision)


def shed(seq: int, *ranges: tuple[int, int], became: str = "nothing", windows: tuple[WindowRow, ...] = ()) -> Arrived:
    message = ShedMessage(
        stream=STREAM,
        seq=seq,
        boot=1,
        at_ms=NOW_MS,
        channel="rollup",
        became=became,
        reason="rows",
        entries=sum(last - first + 1 for first, last in ranges),
        size_bytes=100,
        oldest_ms=1,
        newest_ms=2,
        ranges=ranges,
        windows=window_columns_of(windows) if windows else None,
    )
    return arrived(Channel.SHED, message)


def evidence(seq: int, *, jpeg: bytes = b"\xff\xd8picture\x00\xff\xd9", at_ms: int = NOW_MS) -> Arrived:
    message = EvidenceMessage(
        stream=STREAM, seq=seq, boot=1, kind="loiter", camera="north", at_ms=at_ms, width=64, height=48, jpeg=jpeg
    )
    return arrived(Channel.EVIDENCE, message)


def birth(
    next_seq: int,
    *,
    at_ms: int,
    stream: str = STREAM,
    box: Box = BOX,
    retain: bool = False,
    runs: tuple[str, ...] = (),
) -> Arrived:
    message = birth_message(stream).model_copy(update={"next_seq": next_seq, "at_ms": at_ms, "runs": runs})
    return arrived(Channel.BIRTH, message, box=box, retain=retain)


def total(database: Engine) -> int:
    """What a reader gets who knows nothing and adds up the table."""
    with database.connect() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(schema.rollup.c.unique_tracks), 0))).scalar_one())


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_an_hour_takes_the_place_of_its_minutes_in_any_order(database: Engine, order: tuple[int, ...]) -> None:
    """Minutes before and after, the hour that holds them, and the record of it: the sum of the table is right at the
    end in every order of arrival, and at no time counts anything twice."""
    whole = HOUR + 3600
    late = [rollups(1, minute(1)), rollups(2, minute(59), minute(60), minute(-1))]
    parts = [
        late,
        [rollups(50, hour())],
        [shed(51, (3, 49), became="hours", windows=(WindowRow("north", HOUR, 3600),))],
    ]
    hour_is_there, minutes = False, 0
    for index in order:
        put(database, *parts[index])
        hour_is_there |= index == 1
        minutes = 4 if index == 0 else minutes
        inside = 2 if minutes else 0
        assert total(database) == (60 if hour_is_there else inside) + minutes - inside
    starts = {(row.start, row.length) for row in rows(database, schema.rollup)}
    assert starts == {(HOUR, 3600), (whole, 60), (HOUR - 60, 60)}


def test_an_hour_replaces_only_its_own_zone_and_class(database: Engine) -> None:
    """While the hour of another class or of a measure has not come, the minutes of it stay."""
    measures = [MeasureRow("north", "*", "apple", "dwell_s", HOUR + 60 * n, 60, 1, 1, 2.0, 2.0, 2.0) for n in range(3)]
    body = RollupMessage(
        stream=STREAM,
        seq=1,
        boot=1,
        columns=columns_of([minute(0), minute(1, class_name="pear")]),
        measures=measure_columns_of(measures),
    )
    put(database, arrived(Channel.ROLLUP, body), rollups(2, hour()))
    assert {(row.class_name, row.length) for row in rows(database, schema.rollup)} == {("apple", 3600), ("pear", 60)}
    assert len(rows(database, schema.measure)) == 3
    merged = [measures[0]._replace(length=3600, readings=3, total=6.0)]
    more = RollupMessage(stream=STREAM, seq=3, boot=1, columns=columns_of([]), measures=measure_columns_of(merged))
    put(database, arrived(Channel.ROLLUP, more))
    assert [(row.length, row.total) for row in rows(database, schema.measure)] == [(3600, 6.0)]


@pytest.mark.parametrize("new_disk", [True, False])
def test_an_hour_replaces_only_what_its_database_held(database: Engine, *, new_disk: bool) -> None:
    """Half an hour came of the old disk of a box; the hour that its new disk merged holds the other half alone. Where
    the box only was asked for a new stream, its hour holds all."""
    put(database, *(rollups(1 + number, minute(number)) for number in range(30)))
    if not new_disk:
        put(database, event(31, "first"))
        assert put(database, event(31, "second"))[BOX][0].remint == DIFFERENT
    whole = RollupMessage(stream=FRESH, seq=1, boot=1, columns=columns_of([hour(tracks=30 if new_disk else 60)]))
    put(database, arrived(Channel.ROLLUP, whole))
    put(database, *(rollups(1 + number, minute(number)) for number in range(30)))
    assert total(database) == 60


def test_a_day_takes_the_place_of_its_hours(database: Engine) -> None:
    """Hours and minutes go when the day is there, also those that come after it; a later revision of it counts."""
    day = HOUR - HOUR % 86_400
    put(database, rollups(1, minute(3), hour()))
    put(database, rollups(2, hour()._replace(start=day, length=86_400, unique_tracks=500)))
    put(database, rollups(3, hour(revision=2), minute(4)))
    assert [(row.start, row.length, row.unique_tracks) for row in rows(database, schema.rollup)] == [(day, 86_400, 500)]
    put(database, rollups(4, hour()._replace(start=day, length=86_400, unique_tracks=501, revision=2)))
    assert total(database) == 501


def test_windows_of_other_cameras_and_boxes_stay(database: Engine) -> None:
    """A merged hour touches nothing of another camera or box."""
    other = Box("orchard", "box-2")
    put(database, rollups(1, minute(0)._replace(camera="south")), rollups(1, minute(0), box=other, stream=FRESH))
    put(database, rollups(2, hour()))
    assert len(rows(database, schema.rollup)) == 3


def test_what_was_shed_closes_its_gap(database: Engine) -> None:
    """Seqs that a shed record names never come: the box may forget up to beyond them, and they are told from others."""
    put(database, event(1), event(7))
    [ack] = put(database, shed(8, (2, 3), (5, 6)))[BOX]
    assert (ack.through, ack.ranges) == (3, ((5, 8),))
    assert put(database, event(4))[BOX] == [AckMessage(stream=STREAM, through=8)]
    assert {(row.first, row.last, row.seq) for row in rows(database, schema.shed_range)} == {(2, 3, 8), (5, 6, 8)}
    before = [rows(database, table) for table in (schema.shed, schema.shed_range, schema.received)]
    put(database, shed(8, (2, 3), (5, 6)))
    assert [rows(database, table) for table in (schema.shed, schema.shed_range, schema.received)] == before


def test_a_record_tells_only_of_what_was_before_it(database: Engine) -> None:
    """Ranges from its own seq on are not believed: an ack for them would make a box forget what nobody has."""
    [ack] = put(database, shed(3, (1, 1), (2, 900)))[BOX]
    assert (ack.through, ack.ranges) == (3, ())
    assert [(row.first, row.last) for row in rows(database, schema.received)] == [(1, 3)]


def test_what_was_shed_may_still_come(database: Engine) -> None:
    """A message that was under way when its box gave it up is stored."""
    put(database, shed(3, (1, 2)))
    put(database, event(1), rollups(2, minute(0)))
    assert (len(rows(database, schema.event)), len(rows(database, schema.rollup))) == (1, 1)


def test_a_picture_is_stored_once(database: Engine) -> None:
    """Evidence keeps its bytes, is stored once, and not again when its time was corrected meanwhile."""
    put(database, evidence(1), evidence(1))
    put(database, evidence(1, at_ms=NOW_MS + 400 * 86_400_000))
    [row] = rows(database, schema.evidence)
    assert (bytes(row.jpeg), row.width, row.height, row.data) == (b"\xff\xd8picture\x00\xff\xd9", 64, 48, "{}")


def test_a_copied_database_is_asked_for_a_new_stream(database: Engine) -> None:
    """A box on the stream of another is told so at its birth, and with each message; nothing of its is settled."""
    thief, asked = Box("orchard", "box-2"), AckMessage(stream=STREAM, through=0, remint=COPIED)
    put(database, event(1))
    assert put(database, birth(5, at_ms=1, box=thief)) == {thief: [asked]}
    assert put(database, event(2, box=thief)) == {thief: [asked]}
    assert put(database, event(2)) == {BOX: [AckMessage(stream=STREAM, through=2)]}


def test_a_restored_database_is_asked_for_a_new_stream(database: Engine) -> None:
    """A box that numbers again what it has sent hears of it, and nothing of that stream is settled any more."""
    put(database, birth(1, at_ms=1), *(event(seq) for seq in range(1, 21)))
    assert put(database, birth(11, at_ms=2)) == {BOX: [ASKED]}
    assert put(database, event(11, "another")) == {BOX: [ASKED]}
    assert put(database, event(21)) == {BOX: [ASKED]}
    assert put(database, event(1, stream=FRESH), birth(2, at_ms=3, stream=FRESH))[BOX][0].through == 1


@pytest.mark.parametrize("together", [True, False])
def test_an_honest_box_is_never_asked(database: Engine, *, together: bool) -> None:
    """Reconnecting, births that reach some workers late, and births that the broker kept, lead to no new stream."""
    steps = [
        [birth(1, at_ms=1), event(1), event(2)],
        [birth(3, at_ms=2), event(3)],
        [birth(1, at_ms=1), birth(3, at_ms=2)],  # another worker, later
        [birth(1, at_ms=1, retain=True), event(4)],
        [birth(5, at_ms=3), event(4), event(5)],
    ]
    batches = [[message for step in steps for message in step]] if together else steps
    acks = [ack for batch in batches for ack in put(database, *batch).get(BOX, [])]
    assert acks
    assert all(ack.remint is None for ack in acks)


@pytest.mark.parametrize("known", [True, False])
def test_a_worker_that_comes_back_late_is_no_second_history(database: Engine, *, known: bool) -> None:
    """A worker began when the birth was with the broker already, and stored what came after it; another one, whose
    session the broker kept, hears the same birth only then."""
    if known:
        put(database, birth(1, at_ms=1), event(1))
    put(database, birth(2, at_ms=2, retain=True))
    put(database, event(2), event(3))
    assert put(database, birth(2, at_ms=2)) == {}
    assert put(database, birth(3, at_ms=3)) == {BOX: [ASKED]}, "and a real one is still seen"


def test_a_worker_that_slept_through_many_connections_is_no_second_history(database: Engine) -> None:
    """The births of a box on a poor link, heard by one worker as they came and by another one days later."""
    births = [birth(number, at_ms=NOW_MS + number) for number in range(1, 41)]
    for number, message in enumerate(births, start=1):
        put(database, message, event(number))
    assert put(database, *births) == {}
    assert put(database, birth(40, at_ms=NOW_MS + 100)) == {BOX: [ASKED]}, "and a real one is still seen"


def test_the_newest_birth_stays(database: Engine) -> None:
    """What a worker hears late, and what the broker kept of it, does not take the place of a newer birth; what a box
    says with its clock set back does."""

    def stored() -> int:
        [row] = rows(database, schema.device)
        return int(BirthMessage.model_validate_json(row.birth).at_ms)

    put(database, birth(1, at_ms=NOW_MS), birth(5, at_ms=NOW_MS + 5), birth(1, at_ms=NOW_MS))
    put(database, birth(1, at_ms=NOW_MS))
    put(database, birth(1, at_ms=NOW_MS, retain=True))
    assert stored() == NOW_MS + 5
    put(database, birth(9, at_ms=1))
    assert stored() == 1
    put(database, birth(9, at_ms=NOW_MS + 6, retain=True))
    assert stored() == NOW_MS + 6


def test_a_restored_box_is_seen_after_its_clock_was_far_ahead(database: Engine) -> None:
    """Births that claim to be of a year to come do not hide the honest ones of the days after."""
    for number in range(1, 41):
        put(database, birth(number, at_ms=NOW_MS + 40_000_000_000 + number), event(number))
    later_ms = NOW_MS + 2 * 86_400_000
    assert put(database, birth(11, at_ms=later_ms), now_ms=later_ms) == {BOX: [ASKED]}


def test_a_birth_that_the_broker_kept_shows_a_restored_box(database: Engine) -> None:
    """A worker that begins after a restored box came settles nothing of what the box numbers again."""
    put(database, birth(1, at_ms=1), *(event(seq) for seq in range(1, 21)))
    put(database, birth(11, at_ms=2, retain=True))
    assert put(database, event(21)) == {BOX: [ASKED]}


@pytest.mark.parametrize("together", [True, False])
def test_a_number_with_another_content_shows_a_second_history(database: Engine, *, together: bool) -> None:
    """An event under a number that another one has is kept aside, its stream is marked, and the first stays."""
    if not together:
        put(database, event(1, "first"))
    acks = put(database, event(1, "first"), event(1, "second"))
    assert acks == {BOX: [AckMessage(stream=STREAM, through=0, remint=DIFFERENT)]}
    assert [row.kind for row in rows(database, schema.event)] == ["first"]
    assert [row.reason for row in rows(database, schema.quarantine)] == [
        "seq 1 of its stream had another content before"
    ]


def test_what_comes_again_under_a_new_stream_is_stored_once(database: Engine) -> None:
    """A box that begins a new stream sends again what it still holds: of two equal events both stay, none is doubled,
    whether the old messages come before or after."""

    def one(seq: int, stream: str, value: int) -> Arrived:
        message = EventMessage(stream=stream, seq=seq, boot=1, kind="crossed", at_ms=5, data={"value": value})
        return arrived(Channel.EVENT, message)

    old = [one(10, STREAM, 1), one(11, STREAM, 1), one(12, STREAM, 2)]
    new = [one(1, FRESH, 1), one(2, FRESH, 1), one(3, FRESH, 2), one(4, FRESH, 2)]
    put(database, old[0])
    put(database, *new[:2])
    put(database, *new)
    put(database, *old)
    put(database, *new)
    assert sorted(row.data for row in rows(database, schema.event)) == ['{"value": 1}'] * 2 + ['{"value": 2}'] * 2


@pytest.mark.parametrize("turned", [False, True])
def test_old_and_new_number_in_one_batch_are_one_event(database: Engine, *, turned: bool) -> None:
    """What a slow worker still holds of the old stream, and the same under the new one, become one row each."""

    def one(seq: int, stream: str, value: int) -> Arrived:
        message = EventMessage(stream=stream, seq=seq, boot=1, kind="crossed", at_ms=5, data={"value": value})
        return arrived(Channel.EVENT, message)

    put(database, one(9, STREAM, 0))
    batch = [one(10, STREAM, 1), one(11, STREAM, 1), one(12, STREAM, 2), one(1, FRESH, 1), one(2, FRESH, 1)]
    put(database, *(reversed(batch) if turned else batch))
    put(database, *batch)
    found = sorted(row.data for row in rows(database, schema.event))
    assert found == ['{"value": 0}', '{"value": 1}', '{"value": 1}', '{"value": 2}']


def test_a_text_that_no_database_holds_is_set_aside(database: Engine) -> None:
    """NUL in a name or in data is refused alike by both kinds, and only the message that has it."""
    plain = [event(1, "a NUL"), rollups(2, minute(0)._replace(zone="a NUL"))]
    poison = [replace(message, payload=message.payload.replace(b"NUL", rb"\u0000")) for message in plain]
    put(database, *poison, event(3))
    assert len(rows(database, schema.quarantine)) == 2
    assert [row.seq for row in rows(database, schema.event)] == [3]


def test_every_text_comes_back_as_it_was(database: Engine) -> None:
    """Quotes, braces, backslashes, emptiness and NULL-like words are texts like others."""
    names = ["", "NULL", "null", '"', "\\", '{"a",}', "a,b", "ü 🍎", " x ", "\n\t", "%s", "'; --", "$1"]
    put(database, rollups(1, *(minute(number)._replace(zone=name, place=name) for number, name in enumerate(names))))
    stored = sorted(rows(database, schema.rollup), key=lambda row: row.start)
    assert [row.zone for row in stored] == [row.place for row in stored] == names


def test_the_hours_and_days_of_strangers(database: Engine) -> None:
    """The views give sums an hour and a day, with means weighted by the time watched, and survive a mad clock."""
    first = minute(0, tracks=3)._replace(observed_ms=60_000, occupancy_mean=2.0, confidence_mean=0.9, frames=300)
    second = minute(1, tracks=4)._replace(observed_ms=20_000, occupancy_mean=0.0, confidence_mean=None, frames=100)
    far = minute(0)._replace(start=2**52, class_name="far")
    put(database, rollups(1, first, second, far, hour()._replace(start=HOUR - 3600, unique_tracks=10)))
    query = "SELECT start, unique_tracks, observed_ms, occupancy_mean, confidence_mean FROM {} WHERE start < 2e9"
    with database.connect() as connection:
        hours = connection.execute(text(query.format("rollup_hourly") + " ORDER BY start")).all()
        days = connection.execute(text(query.format("rollup_daily"))).all()
        assert connection.execute(text("SELECT count(*) FROM rollup_daily")).scalar_one() == 2
    assert [tuple(map(float, row)) for row in hours[1:]] == [(HOUR, 7, 80_000, 1.5, 0.9)]
    assert [(row.start, int(row.unique_tracks)) for row in hours] == [(HOUR - 3600, 10), (HOUR, 7)]
    assert [int(row.unique_tracks) for row in days] == [17]


def test_a_restored_database_does_not_know_the_last_run(database: Engine) -> None:
    """A box whose database is an old copy is found out by the run of its agent that it has forgotten, also where it has
    made more since than the cloud has; runs that the cloud never heard of are no matter."""
    first, second, third, fourth = (f"{number:08x}" for number in range(4))
    put(database, birth(1, at_ms=1, runs=(first,)), event(1))
    assert put(database, birth(2, at_ms=3, runs=(first, second, third)), event(2))[BOX][0].remint is None
    assert put(database, birth(9, at_ms=4, runs=(first, fourth))) == {BOX: [ASKED]}


def test_alarms_of_a_restored_box_need_no_birth(database: Engine) -> None:
    """A box that was restored and wakes for alarms alone says nothing of itself. An alarm under a number of something
    else is stored beside that; one under the number of another event shows the second history at once; and the birth
    that follows shows it, though the alarms went beyond the highest number."""
    put(database, birth(1, at_ms=1, runs=("a" * 8, "b" * 8)), rollups(1, minute(0)), rollups(2, minute(1)))
    assert put(database, event(2, "alarm-1"), event(3, "alarm-2"))[BOX][0].remint is None
    assert {row.kind for row in rows(database, schema.event)} == {"alarm-1", "alarm-2"}
    assert total(database) == 2
    assert put(database, birth(4, at_ms=2, runs=("a" * 8, "c" * 8)))[BOX] == [ASKED]
    other = Box(BOX.site, "box-2")
    put(database, event(1, "first", box=other, stream=FRESH))
    assert put(database, event(1, "alarm-3", box=other, stream=FRESH))[other][0].remint == DIFFERENT


def test_both_parts_of_a_minute_in_which_a_disk_was_replaced_count(database: Engine) -> None:
    """The new disk's database knows nothing of the old one's part: both stay, in any order, each by its revision."""
    old = [rollups(1, minute(0, tracks=4)), rollups(2, minute(0, tracks=5)._replace(revision=2))]
    new = [
        rollups(1, minute(0, tracks=2), stream=FRESH),
        rollups(2, minute(0, tracks=3)._replace(revision=2), stream=FRESH),
    ]
    put(database, old[0])
    put(database, new[1], new[0])
    put(database, old[1])
    for again in (old, new):
        put(database, *again)
    stored = {(row.stream, row.database): row.unique_tracks for row in rows(database, schema.rollup)}
    assert stored == {(STREAM, 0): 5, (FRESH, 1): 3}
    assert total(database) == 8


def test_a_disk_replaced_after_the_box_was_asked_for_a_new_stream(database: Engine) -> None:
    """The stream that a box was asked for goes on with its database; the one after that, unasked for, is of another."""
    third = "e" * 32
    put(database, rollups(1, minute(0, tracks=4)), event(2, "first"))
    assert put(database, event(2, "second"))[BOX][0].remint == DIFFERENT
    put(database, rollups(1, minute(0, tracks=4), stream=FRESH))
    assert total(database) == 4
    put(database, rollups(1, minute(0, tracks=1), stream=third))
    put(database, rollups(1, minute(0, tracks=4)))
    assert total(database) == 5
    assert {row.id: row.database for row in rows(database, schema.stream)} == {STREAM: 0, FRESH: 0, third: 1}


def test_both_parts_of_a_reading_count(database: Engine) -> None:
    """Measures of a minute in which a disk was replaced add up as its rollups do."""
    reading = MeasureRow("north", "gate", "*", "crossed_in", HOUR, 60, 1, 3, 3.0, 1.0, 1.0)
    for stream, part in ((STREAM, reading), (FRESH, reading._replace(readings=2, total=2.0))):
        columns = measure_columns_of([part])
        body = RollupMessage(stream=stream, seq=1, boot=1, columns=columns_of([]), measures=columns)
        for _ in range(2):
            put(database, arrived(Channel.ROLLUP, body))
    assert sum(row.total for row in rows(database, schema.measure)) == 5.0
