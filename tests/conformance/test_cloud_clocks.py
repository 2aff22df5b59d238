"""What every cloud database promises of boxes whose clock was wrong: one word puts right what they told."""

from itertools import permutations

import pytest
from sqlalchemy import Engine

from cloud_sync.ingest import schema
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import (
    Box,
    Channel,
    ClockMessage,
    EventMessage,
    EvidenceMessage,
    MeasureRow,
    RollupMessage,
    RollupRow,
    ShedMessage,
    WindowRow,
    columns_of,
    measure_columns_of,
    window_columns_of,
)
from tests.faults.ends import BOX, rollup_row
from tests.ingest.messages import STREAM, arrived, event, put, rows

WRONG = 1_735_700_400  # a whole hour
YEAR = 365 * 86_400 + 25 * 60
WRONG_BOOT, RIGHT_BOOT = 7, 8
FRESH = "f" * 32


def minute(start: int, *, tracks: int = 1, revision: int = 1, length: int = 60) -> RollupRow:
    return rollup_row(0, unique_tracks=tracks, revision=revision)._replace(start=start, length=length)


def windows(seq: int, *some: RollupRow, boot: int = WRONG_BOOT, stream: str = STREAM, box: Box = BOX) -> Arrived:
    measures = [
        MeasureRow("north", "*", "*", "exg", row.start, row.length, row.revision, 1, 2.0, 2.0, 2.0) for row in some
    ]
    message = RollupMessage(
        stream=stream, seq=seq, boot=boot, columns=columns_of(some), measures=measure_columns_of(measures)
    )
    return arrived(Channel.ROLLUP, message, box=box)


def happened(seq: int, at: int, *, boot: int = WRONG_BOOT, stream: str = STREAM) -> Arrived:
    message = EventMessage(stream=stream, seq=seq, boot=boot, kind="crossed", at_ms=at * 1000 + 123)
    return arrived(Channel.EVENT, message)


def picture(seq: int, at: int) -> Arrived:
    message = EvidenceMessage(
        stream=STREAM, seq=seq, boot=WRONG_BOOT, kind="k", camera="north", at_ms=at * 1000, width=1, height=1, jpeg=b"j"
    )
    return arrived(Channel.EVIDENCE, message)


def lost(seq: int, start: int, *, at: int) -> Arrived:
    message = ShedMessage(
        stream=STREAM,
        seq=seq,
        boot=WRONG_BOOT,
        at_ms=at * 1000,
        channel="rollup",
        became="nothing",
        reason="rows",
        entries=1,
        size_bytes=1,
        oldest_ms=start * 1000,
        newest_ms=start * 1000,
        ranges=((1, 1),),
        windows=window_columns_of([WindowRow("north", start, 60), WindowRow("north", start + 60, 60)]),
    )
    return arrived(Channel.SHED, message)


def word(seq: int, shift: int, *, state: str = "set", hours: int = 2) -> Arrived:
    message = ClockMessage(
        stream=STREAM,
        seq=seq,
        boot=RIGHT_BOOT,
        of_boot=WRONG_BOOT,
        state=state,
        at_ms=(WRONG + shift) * 1000,
        from_ms=WRONG * 1000,
        to_ms=(WRONG + 3600 * hours) * 1000,
        shift_ms=shift * 1000 + 7,
        window_shift_s=shift,
    )
    return arrived(Channel.CLOCK, message)


def told(database: Engine) -> dict[str, list[tuple[int, ...]]]:
    """All times that a database has, and what was counted at them."""
    return {
        "rollup": sorted((row.start, row.length, row.unique_tracks) for row in rows(database, schema.rollup)),
        "measure": sorted((row.start, row.readings) for row in rows(database, schema.measure)),
        "event": sorted((row.seq, row.at_ms) for row in rows(database, schema.event)),
        "evidence": sorted((row.at_ms,) for row in rows(database, schema.evidence)),
        "shed": sorted((row.at_ms, row.oldest_ms) for row in rows(database, schema.shed)),
        "shed_window": sorted((row.start,) for row in rows(database, schema.shed_window)),
    }


@pytest.mark.parametrize("shift", [YEAR, 120, -120])
@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_order_does_not_matter(database: Engine, order: tuple[int, ...], shift: int) -> None:
    """Windows, readings, events, pictures and records of losses of a wrong clock are at their true time, each once,
    whether they came before the word or after it, or in one batch with it, and when they come again."""
    batches = [
        [windows(2, *(minute(WRONG + 60 * n, tracks=n) for n in range(5))), happened(3, WRONG), picture(4, WRONG + 9)],
        [word(9, shift)],
        [
            windows(5, *(minute(WRONG + 60 * n, tracks=n) for n in range(5, 8))),
            happened(6, WRONG + 60),
            lost(7, WRONG - 600, at=WRONG + 50),
        ],
    ]
    for index in order:
        put(database, *batches[index])
    expected = {
        "rollup": [(WRONG + shift + 60 * n, 60, n) for n in range(8)],
        "measure": [(WRONG + shift + 60 * n, 1) for n in range(8)],
        "event": [(3, (WRONG + shift) * 1000 + 130), (6, (WRONG + shift + 60) * 1000 + 130)],
        "evidence": [((WRONG + shift + 9) * 1000 + 7,)],
        "shed": [((WRONG + shift + 50) * 1000 + 7, (WRONG + shift - 600) * 1000 + 7)],
        "shed_window": [(WRONG + shift - 600,), (WRONG + shift - 540,)],
    }
    assert told(database) == expected
    for index in (*order, *reversed(order)):
        put(database, *batches[index])
    assert told(database) == expected
    put(database, *(message for batch in batches for message in batch))
    assert told(database) == expected


@pytest.mark.parametrize("shift", [120, -120])
def test_days_that_are_moved_by_minutes(database: Engine, shift: int) -> None:
    """What is moved from one day into the next meets nothing that has yet to be moved."""
    starts = [WRONG + day * 86_400 + 60 * number for day in range(4) for number in range(-6 if day else -3, 3)]
    put(database, *(windows(seq, minute(start, tracks=seq)) for seq, start in enumerate(starts, start=1)))
    put(database, word(99, shift, hours=100))
    expected = [(start + shift, 60, seq) for seq, start in enumerate(starts, start=1)]
    assert told(database)["rollup"] == expected


def test_only_that_boot_of_that_box_is_moved(database: Engine) -> None:
    """Rows of another boot, of another box, and of another database of the same box stay where they are."""
    other = Box("orchard", "box-2")
    put(database, windows(1, minute(WRONG), boot=RIGHT_BOOT), windows(1, minute(WRONG), box=other, stream="e" * 32))
    put(database, windows(1, minute(WRONG + 60), stream=FRESH))
    put(database, word(2, YEAR))
    put(database, windows(2, minute(WRONG + 120), stream=FRESH))
    assert sorted(row.start - WRONG for row in rows(database, schema.rollup)) == [0, 0, 60, 120]


def test_a_later_word_counts_from_the_beginning(database: Engine) -> None:
    """A clock was set wrong by hand, and right later: the second word takes the place of the first, whichever comes
    first; what is late is put right by the newest."""
    put(database, windows(1, minute(WRONG)), happened(2, WRONG))
    put(database, word(5, 3600))
    put(database, word(9, YEAR))
    put(database, word(5, 3600), windows(3, minute(WRONG + 60)))
    assert [start - WRONG for start, _, _ in told(database)["rollup"]] == [YEAR, YEAR + 60]
    assert told(database)["event"] == [(2, (WRONG + YEAR) * 1000 + 130)]
    [known] = rows(database, schema.clock)
    assert (known.seq, known.shift_ms, known.window_shift_s) == (9, YEAR * 1000 + 7, YEAR)


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_minute_in_which_the_clock_was_set_counts_once(database: Engine, order: tuple[int, ...]) -> None:
    """Both clocks have a part of that minute; the box adds them up and tells the sum with a higher revision, which
    stays, in any order of arrival."""
    true = WRONG + YEAR
    parts = [
        windows(1, minute(WRONG, tracks=2, revision=3)),
        word(2, YEAR),
        windows(3, minute(true, tracks=5, revision=4), boot=RIGHT_BOOT),
    ]
    for index in order:
        put(database, parts[index])
    assert told(database)["rollup"] == [(true, 60, 5)]


def test_an_hour_that_was_moved_still_replaces_its_minutes(database: Engine) -> None:
    """A merged hour of the wrong clock and minutes inside it that come late are moved together, and count once; the
    minutes beside it stay."""
    put(database, windows(1, minute(WRONG, tracks=60, length=3600)), windows(2, minute(WRONG + 3600)))
    put(database, word(3, YEAR))
    put(database, windows(4, minute(WRONG + 600), minute(WRONG + 3660)))
    hour, beside = (WRONG + YEAR, 3600, 60), WRONG + YEAR + 3600
    assert told(database)["rollup"] == [hour, (beside, 60, 1), (beside + 60, 60, 1)]


def test_a_minute_that_is_moved_into_a_merged_hour_goes(database: Engine) -> None:
    """The box has put a minute right, merged it into its true hour and told that; the word of it comes last."""
    true_hour = (WRONG + YEAR) // 3600 * 3600
    put(database, windows(1, minute(WRONG)))
    put(database, windows(3, minute(true_hour, tracks=9, length=3600), boot=RIGHT_BOOT))
    put(database, word(2, YEAR))
    assert told(database)["rollup"] == [(true_hour, 3600, 9)]


def test_a_new_stream_of_the_same_database_is_put_right_too(database: Engine) -> None:
    """The word came in the stream that the box had to leave; what it sends again in the new one is at its true time,
    and there once."""
    put(database, windows(1, minute(WRONG)), happened(2, WRONG), event(3, "first"))
    put(database, word(4, YEAR), event(3, "second"))
    put(database, windows(1, minute(WRONG), stream=FRESH), happened(2, WRONG, stream=FRESH))
    assert told(database)["rollup"] == [(WRONG + YEAR, 60, 1)]
    assert [at for _, at in told(database)["event"] if at > 1] == [(WRONG + YEAR) * 1000 + 130]


@pytest.mark.parametrize("state", ["unset", "between"])
def test_what_is_not_known_moves_nothing(database: Engine, state: str) -> None:
    """That a clock was not set is on record; the rows stay where the estimate put them."""
    put(database, windows(1, minute(WRONG)), word(2, 0, state=state))
    assert told(database)["rollup"] == [(WRONG, 60, 1)]
    assert [(row.boot, row.state) for row in rows(database, schema.clock)] == [(WRONG_BOOT, state)]
