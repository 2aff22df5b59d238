"""A clock that was wrong and is set later: what was written before is put right, on the box and in the cloud, once."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from agent.clock import NOT_BEFORE_NS
from agent.store import Limits, Shedder, moving, stored_status, summary_lines
from agent.store.boots import undated
from agent.store.schema import boot as boot_table
from agent.types import ANY, MeasureRollup, Rollup
from cloud_sync.ingest import schema as cloud_schema
from cloud_sync.wire import Channel
from tests.store.clocked_box import ClockedBox

TRUE = 1_790_000_040  # a full minute, in 2026
DAY, YEAR = 86_400, 365 * 86_400
UNSET = 40  # a clock that was never set, 40 s after it began


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ClockedBox]:
    opened = ClockedBox(tmp_path, utc_s=UNSET)
    yield opened
    opened.close()


@pytest.fixture
def plausible(tmp_path: Path) -> Iterator[ClockedBox]:
    """A box whose clock says what it said when the box was shut down, three days ago."""
    opened = ClockedBox(tmp_path, utc_s=TRUE - 3 * DAY)
    yield opened
    opened.close()


def set_clock(box: ClockedBox, utc_s: float, *, synchronised: bool = True) -> None:
    """Set the machine's clock, as NTP does (and tells the kernel), or a person (who does not)."""
    box.synchronised = synchronised
    box.machine.step_utc(utc_s - box.machine.now().utc_ns / 1e9)


def assert_both_ends_equal(box: ClockedBox) -> None:
    assert box.cloud_rollups() == box.rollups()
    assert box.cloud_measures() == box.measures()
    assert box.cloud_events() == box.events()


def frames(box: ClockedBox) -> dict[int, int]:
    """Frames of the picture by start of window."""
    return {key[3]: row[1] for key, row in box.rollups().items() if key[1:3] == (ANY, ANY)}


@pytest.mark.parametrize("sent_before", [True, False])
@pytest.mark.parametrize("into_the_minute", [0, 25, 47])
def test_what_an_unset_clock_wrote_is_put_right(box: ClockedBox, into_the_minute: int, *, sent_before: bool) -> None:
    """Started in 1970, set in 2026: windows are whole minutes of the true time, each within half a minute of where it
    was; events are exact; nothing is lost, nothing counts twice; the cloud has the same, sent before or after."""
    box.event("early", alarm=True)
    early_ns = box.machine.now().monotonic_ns
    box.watch(150)
    box.settled()
    if sent_before:
        box.send()
        assert box.clocks() == [(1, "unset")]
    began_s = TRUE + into_the_minute - 150
    set_clock(box, TRUE + into_the_minute)
    box.watch(100)
    box.stop()
    box.start()
    box.send(again=True)
    assert_both_ends_equal(box)
    assert sum(frames(box).values()) == 250
    assert sum(box.measures().values()) == 250
    assert all(start % 60 == 0 and began_s - 90 <= start <= TRUE + 160 for start in frames(box))
    assert box.clocks() == [(1, "set")]
    [(_, early_ms)] = [event for event in box.events() if event[0] == "early"]
    assert early_ms == (box.machine.now().utc_ns - box.machine.now().monotonic_ns + early_ns) // 10**6


def test_what_was_not_sent_is_never_wrong_in_the_cloud(box: ClockedBox) -> None:
    """The word goes before the rest: a link that comes with the time sees no row of 1970, nor of the estimate."""
    box.watch(200)
    set_clock(box, TRUE)
    box.keep()
    first = box.outbox.read([Channel.CLOCK], after_seq=0, limit=10)
    assert [entry.fields()["state"] for entry in first] == ["unset", "set"]
    box.settled()
    box.send(shuffled=lambda fresh: sorted(fresh, key=lambda message: "clock" not in message.topic))
    assert min(key[3] for key in box.cloud_rollups()) >= TRUE - 300


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8])
def test_power_cut_in_the_middle_of_it(box: ClockedBox, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the word is on record, after it, and between any two of the moves: the next start goes on, and the
    end is the same, but for the seconds that a kill costs."""
    monkeypatch.setattr(moving, "MOVED_AT_ONCE", 2)
    box.watch(250)
    box.settled()
    box.send()
    set_clock(box, TRUE)
    for _ in range(steps):
        box.keeper.look()
        if box.keeper._running is not None:
            box.keeper._running.exception(30)
    box.kill()
    box.start()
    box.watch(30)
    box.stop()
    box.start()
    box.send(again=True)
    assert_both_ends_equal(box)
    assert 280 - 11 <= sum(frames(box).values()) <= 280
    assert all(TRUE - 330 <= start <= TRUE + 60 for start in frames(box))


def test_machine_loses_power_between_the_moves(box: ClockedBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word is on record and the rows wait to be moved: they are, after the next boot of the machine."""
    monkeypatch.setattr(moving, "MOVED_AT_ONCE", 2)
    box.watch(250)
    box.settled()
    set_clock(box, TRUE)
    box.keeper.look()
    box.keeper._running.exception(30)
    box.kill()
    box.boot(utc_s=TRUE + 1000)
    box.settled()
    box.send()
    assert_both_ends_equal(box)
    assert all(TRUE - 330 <= start <= TRUE + 1000 for start in frames(box))


def test_a_boot_whose_clock_was_never_set_is_told_as_such(box: ClockedBox, tmp_path: Path) -> None:
    """Nobody knows when it was: its rows stay where the estimate put them, and both ends know between which times."""
    box.watch(130)
    box.stop()
    box.boot(utc_s=TRUE)
    box.watch(70)
    box.settled()
    box.send()
    assert_both_ends_equal(box)
    assert box.clocks() == [(1, "between")]
    with box.store.read.connect() as connection:
        [lost] = undated(connection)
    assert (lost["boot"], lost["until_ns"]) == (1, (TRUE - 5) * 10**9)
    [told] = [line for line in summary_lines(stored_status(tmp_path)) if line.startswith("clock")]
    assert "never set in boot 1" in told
    assert "between 2025-01-01 00:00 UTC and 2026-09-21 14:13 UTC" in told


def test_boots_without_a_clock_are_never_added_up(box: ClockedBox) -> None:
    """Each begins in 1970 and counts: no window holds two of them, and none falls on a time that is known."""
    set_clock(box, TRUE)
    box.watch(100)
    box.stop()
    for _ in range(3):
        box.boot(utc_s=UNSET)
        box.watch(100)
        box.stop()
    box.start()
    assert sum(frames(box).values()) == 400
    assert max(frames(box).values()) <= 60
    assert min(frames(box)) >= TRUE
    with box.store.read.connect() as connection:
        by_boot = connection.execute(text("SELECT boot, sum(frames) FROM rollup WHERE class_name = '*' GROUP BY boot"))
        assert dict(map(tuple, by_boot)) == {2: 100, 3: 100, 4: 100, 5: 100}
    box.send()
    assert_both_ends_equal(box)


@pytest.mark.parametrize("step_s", [1, -1, 1.9])
def test_an_honest_correction_of_a_second_rewrites_nothing(plausible: ClockedBox, step_s: float) -> None:
    """What NTP corrects all the time is no clock that was wrong: no row moves, nobody is told."""
    box = plausible
    box.watch(130)
    box.settled()
    before, entries = box.rollups(), box.outbox.last_seq()
    box.machine.step_utc(step_s)
    box.synchronised = True
    box.keep()
    assert box.rollups() == before
    assert box.outbox.last_seq() == entries
    box.watch(10)
    assert box.clock.now().boot == 1


def test_a_clock_that_could_be_right_is_corrected_by_the_kernels_word(plausible: ClockedBox) -> None:
    """It said what it said at the shutdown, three days ago: once a time service vouches for another time, its rows
    move; until then they stay."""
    box = plausible
    box.watch(130)
    set_clock(box, TRUE, synchronised=False)
    box.watch(20)
    assert min(frames(box)) < TRUE - 2 * DAY
    box.synchronised = True
    box.watch(20)
    box.stop()
    box.start()
    assert all(TRUE - 240 <= start <= TRUE + 60 for start in frames(box))
    assert sum(frames(box).values()) == 170
    box.send()
    assert_both_ends_equal(box)


def test_a_clock_set_by_hand_is_believed_when_it_stands(plausible: ClockedBox) -> None:
    """An isolated site has no time service: what a person sets counts after ten minutes; what was set wrong and right
    again before that moves nothing."""
    box = plausible
    box.watch(70)
    set_clock(box, TRUE + YEAR, synchronised=False)
    box.watch(10)
    set_clock(box, TRUE, synchronised=False)
    box.watch(10)
    box.settled()
    assert min(frames(box)) < TRUE - 2 * DAY
    box.machine.advance(600)
    box.keep()
    box.stop()
    box.start()
    assert all(TRUE - 180 <= start <= TRUE + 660 for start in frames(box))
    assert sum(frames(box).values()) == 90
    box.send()
    assert_both_ends_equal(box)


def test_forward_by_a_year_and_back(plausible: ClockedBox) -> None:
    """A leap that the kernel does not vouch for, and that is taken back: what was written in between goes back as
    well, and what was written before stays."""
    box = plausible
    set_clock(box, TRUE)
    box.watch(70)
    set_clock(box, TRUE + YEAR, synchronised=False)
    box.watch(70)
    box.settled()
    box.send()
    assert max(frames(box)) >= TRUE + YEAR
    set_clock(box, TRUE + 140)
    box.watch(70)
    box.stop()
    box.start()
    assert sum(frames(box).values()) == 210
    assert all(TRUE - 60 <= start <= TRUE + 210 for start in frames(box))
    box.send()
    assert_both_ends_equal(box)


@pytest.mark.parametrize("off_s", [125, -125])
def test_a_clock_that_was_minutes_off(plausible: ClockedBox, off_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go to where others of the same clock are, and these have gone on by then: none meets another."""
    monkeypatch.setattr(moving, "MOVED_AT_ONCE", 2)
    box = plausible
    minutes(box, 12)
    box.settled()
    before = sorted(frames(box))
    box.send()
    box.synchronised = True
    box.machine.step_utc(off_s)
    box.keep()
    assert sorted(frames(box)) == [start + round(off_s / 60) * 60 for start in before]
    assert set(frames(box).values()) == {300}
    box.send()
    assert_both_ends_equal(box)


def test_the_minute_in_which_the_clock_was_set(plausible: ClockedBox) -> None:
    """Both clocks have stored their part of it when the old one turns out to be wrong: it becomes one whole minute."""
    box = plausible
    box.watch(90)
    box.machine.step_utc(3 * DAY)
    box.watch(70)
    box.settled()
    assert frames(box) == {TRUE - 3 * DAY: 59, TRUE - 3 * DAY + 60: 31, TRUE + 60: 29}
    box.send()
    box.synchronised = True
    box.keep()
    assert frames(box) == {TRUE: 59, TRUE + 60: 60}
    box.send(again=True)
    assert_both_ends_equal(box)


@pytest.mark.parametrize("synchronised", [True, False])
def test_what_the_kernel_vouched_for_stays(plausible: ClockedBox, *, synchronised: bool) -> None:
    """A clock that was kept right is set to another time, by hand or by a bad time server: what it wrote stays."""
    box = plausible
    box.synchronised = True
    box.watch(70)
    set_clock(box, TRUE, synchronised=synchronised)
    box.watch(10)
    box.machine.advance(700)
    box.keep()
    box.settled()
    assert frames(box)[TRUE - 3 * DAY] == 59
    assert box.outbox.read([Channel.CLOCK], after_seq=0, limit=10) == []


def test_the_date_of_an_image_is_no_date(box: ClockedBox) -> None:
    """A board that starts with the date of its system, not with 1970, is known to be wrong by what the kernel has
    vouched for since: in that run, and after the next boot."""
    image_s = NOT_BEFORE_NS // 10**9 + 100 * DAY
    set_clock(box, TRUE)
    box.watch(10)
    set_clock(box, image_s, synchronised=False)
    box.watch(10)
    assert box.clock.now().utc_ns // 10**9 == TRUE + 20
    box.stop()
    box.boot(utc_s=image_s)
    assert box.clock.stretch().unset
    box.watch(70)
    box.stop()
    box.start()
    assert min(frames(box)) >= TRUE - 60


def test_a_clock_that_falls_back_below_what_is_known_is_not_followed(box: ClockedBox) -> None:
    """The kernel vouched for 2026; a clock that says 1970 after that is wrong, and time goes on as it went."""
    set_clock(box, TRUE)
    box.watch(30)
    set_clock(box, UNSET, synchronised=False)
    box.watch(30)
    assert box.clock.now().utc_ns // 10**9 == TRUE + 60
    box.stop()
    box.start()
    box.watch(10)
    assert box.clock.now().utc_ns // 10**9 == TRUE + 70
    assert all(start >= TRUE - 60 for start in frames(box))


def test_two_words_of_different_clocks(plausible: ClockedBox) -> None:
    """Set by hand, an hour wrong, and believed; a time service comes later: all rows end at the true time, also those
    that were moved once, and those that the cloud hears of only now."""
    box = plausible
    box.watch(70)
    box.settled()
    box.send()
    set_clock(box, TRUE + 3625, synchronised=False)
    box.watch(20)
    box.machine.advance(630)
    box.keep()
    box.settled()
    box.send()
    assert_both_ends_equal(box)
    set_clock(box, TRUE + 650)
    box.watch(70)
    box.stop()
    box.start()
    assert all(TRUE - 180 <= start <= TRUE + 720 for start in frames(box))
    box.send(again=True)
    assert_both_ends_equal(box)


def minutes(box: ClockedBox, count: int) -> None:
    """So many minutes of one camera, two an entry, without watching each second."""
    for number in range(0, count, 2):
        now = box.clock.now()
        first_s = now.utc_ns // 10**9 // 60 * 60
        parts: list[Rollup | MeasureRollup] = []
        for start_s in (first_s, first_s + 60):
            parts.append(Rollup("north", ANY, ANY, start_s, 60, now.boot, 0, 60_000, 300, number % 5, 0, 0, 0.0))
            parts.append(MeasureRollup("north", ANY, ANY, "exg", start_s, 60, now.boot, 1, 2.0, 2.0, 2.0))
        box.record(parts)
        box.machine.advance(120)


def shed(box: ClockedBox, *, for_s: float = 3600) -> None:
    """Give up what can be: minutes become hours, hours become days."""
    limits = Limits(entries=0, size_bytes=10**12, disk_free_bytes=0)
    Shedder(box.store.read, box.writer, limits, now=box.clock.now, disk_free=lambda: 10**12).shed(for_s=for_s)


@pytest.mark.parametrize("merged_before", [True, False])
def test_months_offline_without_a_clock(box: ClockedBox, *, merged_before: bool) -> None:
    """Minutes of an unset clock are merged into hours before it is set, or after, and into days then, of which some
    hours reach into the next: what waits still shrinks, no sum changes, and the cloud has the windows of the box."""
    minutes(box, 300)
    if merged_before:
        box.machine.advance(2 * 3600)
        shed(box)
    box.send()
    set_clock(box, (TRUE // DAY + 1) * DAY + (4 if merged_before else 2) * 3600 + 27 * 60 + 1)
    box.keep()
    minutes(box, 200)
    box.machine.advance(2 * DAY)
    before = len(box.outbox.read([Channel.ROLLUP], after_seq=0, limit=10**6))
    shed(box)
    assert len(box.outbox.read([Channel.ROLLUP], after_seq=0, limit=10**6)) < before / 2
    box.send(again=True)
    assert sum(frames(box).values()) == 500 * 300
    assert_both_ends_equal(box)


def test_an_entry_that_reaches_into_the_next_hour_stays(box: ClockedBox) -> None:
    """Two minutes of one entry are of two hours by the true time: it is not given up for the first of them alone."""
    minutes(box, 120)
    set_clock(box, (TRUE // DAY + 1) * DAY + 2 * 3600 + 27 * 60 + 1)
    box.keep()
    box.machine.advance(DAY)
    shed(box, for_s=0)
    box.send()
    assert len([key for key in box.rollups() if key[4] == 3600]) == 1
    assert_both_ends_equal(box)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_both_ends_tell_the_same(plausible: ClockedBox, seed: int) -> None:
    """Starts, stops, boots, clocks that are set by anybody to anything, links that come and go, messages in any order
    and twice: the cloud has each window, reading and event of the box at the same time, and none besides."""
    box, dice = plausible, random.Random(seed)
    seen = 0

    def watch() -> None:
        nonlocal seen
        seconds = dice.randint(1, 90)
        box.event(f"event-{seen}", alarm=dice.random() < 0.3)
        box.watch(seconds, keep=dice.random() < 0.7)
        seen += seconds

    def boot() -> None:
        box.stop()
        box.boot(utc_s=dice.choice([UNSET, TRUE + 10_000 * box.boots, TRUE - 3 * DAY]))

    def again() -> None:
        box.stop()
        box.start()

    def leap() -> None:
        where = dice.choice([UNSET, TRUE + 10_000 * box.boots, TRUE - 2 * DAY, TRUE + dice.randint(-5000, 5000)])
        set_clock(box, where, synchronised=dice.random() < 0.5)

    def send() -> None:
        box.settled()
        box.send(shuffled=lambda messages: dice.sample(messages, len(messages)))

    for _ in range(25):
        dice.choice([watch, watch, watch, leap, leap, boot, again, send, box.keep])()
    box.stop()
    box.start()
    box.settled()
    box.send(shuffled=lambda messages: dice.sample(messages, len(messages)), again=True)
    assert_both_ends_equal(box)
    assert sum(frames(box).values()) == seen


def test_a_late_record_of_a_corrected_boot_is_put_right(box: ClockedBox) -> None:
    """What an analysis was still busy with when the clock was set has the old time, and the old boot: it is stored at
    the true time."""
    box.watch(30)
    late = box.clock.now()
    set_clock(box, TRUE)
    box.keep()
    part = Rollup("south", ANY, ANY, late.utc_ns // 10**9 // 60 * 60, 60, late.boot, 0, 1000, 5, 1, 1, 1, 0.5)
    box.record([part])
    box.settled()
    [start] = [key[3] for key in box.rollups() if key[0] == "south"]
    assert abs(start - TRUE) <= 90


def test_the_cloud_hears_nothing_of_an_ordinary_boot(plausible: ClockedBox) -> None:
    """A clock that is right costs the link no byte."""
    plausible.synchronised = True
    plausible.watch(70)
    plausible.settled()
    plausible.send()
    assert plausible.clocks() == []
    with plausible.store.read.connect() as connection:
        [row] = connection.execute(select(boot_table)).all()
    assert row.confirmed_utc_ns is not None
    with plausible.cloud.connect() as connection:
        assert connection.execute(select(cloud_schema.rollup)).all()
