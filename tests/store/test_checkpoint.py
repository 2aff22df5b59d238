"""What a power cut costs: of the windows that are open, what was counted in the last ten seconds, and nothing twice."""

import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from agent.clock import ManualClock
from agent.store import Checkpoint, Recorder, Store, Writer, open_store
from agent.store.checkpoint import FILE
from agent.store.schema import measure as measure_table
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, ClassCount, Measure, Observation

START_NS = 1_800_000_000 * 10**9


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(utc_ns=START_NS)


@contextmanager
def box(folder, clock):
    """A box that runs until the power is cut: nothing is finished at the end."""
    with open_store(folder, clock.now(), boot_id="one") as store:
        writer = Writer(store.write)
        stop = threading.Event()
        thread = threading.Thread(target=writer.run, args=(stop, lambda: None))
        thread.start()
        try:
            yield Recorder(writer, send=True, checkpoint=Checkpoint(folder, store.read)), store
        finally:
            stop.set()
            thread.join(5)


def count(recorder: Recorder, clock: ManualClock, seconds: int) -> None:
    """A frame a second, with one new object that crosses a line."""
    for _ in range(seconds):
        counts = (ClassCount(ANY, ANY, 1, 1, 0.5),)
        recorder.observe(Observation("north", clock.now(), 0, counts, (Measure("gate", ANY, "crossed_in", 1.0),)))
        clock.advance(1)
        recorder.tick(clock.now())


def stored(store: Store) -> list[tuple[int, float]]:
    """By window, the objects counted and those that crossed."""
    start = rollup_table.c.window_start_s
    joined = rollup_table.join(measure_table, measure_table.c.window_start_s == start)
    query = select(rollup_table.c.unique_tracks, measure_table.c.total).select_from(joined).order_by(start)
    with store.read.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def settle(recorder: Recorder, store: Store, clock: ManualClock, wanted: list[tuple[int, float]]) -> None:
    for _ in range(100):
        recorder.tick(clock.now())
        if stored(store) == wanted:
            return
        threading.Event().wait(0.02)
    assert stored(store) == wanted


def test_open_window_survives_a_power_cut(tmp_path, clock):
    """Of 25 seconds, cut off in the middle of a minute, all up to the last note are in the database after the start."""
    with box(tmp_path, clock) as (recorder, store):
        count(recorder, clock, 25)
        assert stored(store) == []
    with box(tmp_path, clock) as (recorder, store):
        settle(recorder, store, clock, [(21, 21.0)])


def test_first_that_is_seen_is_safe_at_the_next_tick(tmp_path, clock):
    """A box that saw nothing at its first note does not leave what comes then to chance for ten seconds."""
    with box(tmp_path, clock) as (recorder, store):
        recorder.observe(Observation("north", clock.now(), 0, (ClassCount(ANY, ANY, 0, 0, 0.0),)))
        recorder.tick(clock.now())
        count(recorder, clock, 1)
    with box(tmp_path, clock) as (recorder, store):
        settle(recorder, store, clock, [(1, 1.0)])


def test_first_that_is_seen_is_told_once(tmp_path, clock):
    """Whoever ticks hears of the first object, not of empty frames before it nor of what follows."""
    told = []
    with open_store(tmp_path, clock.now(), boot_id="one") as store:
        recorder = Recorder(Writer(store.write), send=True, on_first=lambda: told.append(clock.now()))
        for present in (0, 1, 1):
            clock.advance(1)
            recorder.observe(Observation("north", clock.now(), 0, (ClassCount(ANY, ANY, present, present, 0.5),)))
    assert [at.utc_ns - START_NS for at in told] == [2 * 10**9]


def test_window_goes_on_after_the_cut(tmp_path, clock):
    """What is counted in the same minute after the start adds up with what was noted."""
    with box(tmp_path, clock) as (recorder, store):
        count(recorder, clock, 21)
    with box(tmp_path, clock) as (recorder, store):
        count(recorder, clock, 45)
        settle(recorder, store, clock, [(21 + 39, 60.0)])


def test_window_that_was_stored_after_the_note_is_not_counted_twice(tmp_path, clock):
    """A note of what the database took meanwhile is void, at the next start and at each one after it."""
    with box(tmp_path, clock) as (recorder, store):
        count(recorder, clock, 60)
        note = (tmp_path / FILE).read_bytes()
        clock.advance(3)
        settle(recorder, store, clock, [(60, 60.0)])
    for _ in range(2):
        (tmp_path / FILE).write_bytes(note)
        with box(tmp_path, clock) as (recorder, store):
            for _ in range(5):
                recorder.tick(clock.now())
            settle(recorder, store, clock, [(60, 60.0)])


def test_note_taken_up_is_not_taken_up_again(tmp_path, clock):
    """Two power cuts one after the other, the second before another note, count once."""
    with box(tmp_path, clock) as (recorder, store):
        count(recorder, clock, 21)
    note = (tmp_path / FILE).read_bytes()
    for _ in range(3):
        (tmp_path / FILE).write_bytes(note)
        with box(tmp_path, clock) as (recorder, store):
            settle(recorder, store, clock, [(21, 21.0)])


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b'{"windows": [["north"]]}', b'{"windows": 5}', b"[]"])
def test_spoilt_note_says_nothing(tmp_path, clock, content):
    """A file that is no note costs one line, and the box counts."""
    (tmp_path / FILE).write_bytes(content)
    with capture_logs() as lines, box(tmp_path, clock) as (recorder, store):
        count(recorder, clock, 61)
        clock.advance(3)
        settle(recorder, store, clock, [(60, 60.0)])
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["open_windows_unreadable"]


def test_note_that_cannot_be_written_stops_nothing(tmp_path, clock):
    """Where the file cannot be written, one line says so, and the windows are stored as ever."""
    (tmp_path / FILE).mkdir()
    (tmp_path / FILE / "in-the-way").touch()
    with capture_logs() as lines, box(tmp_path, clock) as (recorder, store):
        count(recorder, clock, 61)
        clock.advance(3)
        settle(recorder, store, clock, [(60, 60.0)])
    said = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert said == ["open_windows_unreadable", "open_windows_not_noted"]
