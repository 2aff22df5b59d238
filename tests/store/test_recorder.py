"""The recorder keeps what the database does not take, tries again, and writes nothing twice."""

import json
import sqlite3
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError, OperationalError

from agent.clock import ManualClock
from agent.store import Recorder, Writer, open_store
from agent.store.schema import event as event_table
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, ClassCount, Event, Observation


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(utc_ns=1_800_000_000_000_000_000)


@pytest.fixture
def store(tmp_path, clock):
    with open_store(tmp_path, clock.now()) as opened:
        yield opened


@contextmanager
def running(writer: Writer):
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop, lambda: None))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)


def watch_a_minute(recorder: Recorder, clock: ManualClock, *, camera: str = "north") -> None:
    """One frame a second with one object, which is new in the first."""
    for second in range(60):
        counts = (ClassCount(ANY, ANY, int(second == 0), 1, 0.5),)
        recorder.observe(Observation(camera, clock.now(), 10**9 if second else 0, counts))
        clock.advance(1)
    clock.advance(5)


def stored(store) -> list[tuple[int, int]]:
    with store.read.connect() as connection:
        rows = connection.execute(select(rollup_table.c.frames, rollup_table.c.unique_tracks))
        return [tuple(row) for row in rows]


def test_finished_window_is_stored_once(store, clock):
    """A minute that ended is stored at the next tick, and not again at those after it."""
    writer = Writer(store.write)
    recorder = Recorder(writer, send=True)
    with running(writer):
        watch_a_minute(recorder, clock)
        for _ in range(3):
            recorder.tick(clock.now())
        recorder.finish(clock.now())
    assert stored(store) == [(60, 1)]


def test_full_queue_loses_nothing(store, clock):
    """While the writer refuses, windows wait in memory; when it works again they are stored, each once."""
    writer = Writer(store.write, capacity=1)
    blocker = writer.submit(lambda _connection: None)
    recorder = Recorder(writer, send=True)
    for _ in range(3):
        watch_a_minute(recorder, clock)
        recorder.tick(clock.now())
    assert not blocker.done()
    assert stored(store) == []
    assert sum(part.frames for part in recorder.unfinished()) == 180
    with running(writer):
        recorder.finish(clock.now())
    assert sum(frames for frames, _ in stored(store)) == 180
    assert sum(unique for _, unique in stored(store)) == 3


class FlakyWriter:
    """A writer whose next commits fail as told; the rest is the real one."""

    def __init__(self, writer: Writer, failures: list[Exception]) -> None:
        self.writer, self.failures = writer, failures

    def submit(self, work):
        if self.failures:
            failed: Future = Future()
            failed.set_exception(self.failures.pop(0))
            return failed
        return self.writer.submit(work)


def test_disk_that_is_full_for_a_while_loses_nothing(store, clock):
    """A commit that failed is tried again with the same records."""
    full = OperationalError("INSERT", {}, Exception("database or disk is full"))
    writer = Writer(store.write)
    recorder = Recorder(FlakyWriter(writer, [full, full]), send=True)
    with running(writer):
        watch_a_minute(recorder, clock)
        for _ in range(4):
            recorder.tick(clock.now())
        recorder.finish(clock.now())
    assert stored(store) == [(60, 1)]


def test_damaged_file_is_not_the_fault_of_its_records(store, clock):
    """When SQLite calls its file damaged, records are kept and tried again, not rejected one by one."""
    broken = sqlite3.DatabaseError("database disk image is malformed")
    broken.sqlite_errorname = "SQLITE_CORRUPT"
    writer = Writer(store.write)
    recorder = Recorder(FlakyWriter(writer, [DatabaseError("INSERT", {}, broken)] * 2), send=True)
    with running(writer):
        watch_a_minute(recorder, clock)
        recorder.tick(clock.now())
        recorder.finish(clock.now())
    assert (stored(store)[0], recorder.rejected) == ((60, 1), 0)


def test_page_shows_what_waits_for_a_full_disk(store, clock):
    """A minute whose commit failed is unfinished until it is tried again: the page does not forget it meanwhile."""
    full = OperationalError("INSERT", {}, Exception("database or disk is full"))
    recorder = Recorder(FlakyWriter(Writer(store.write), [full]), send=True)
    watch_a_minute(recorder, clock)
    recorder.tick(clock.now())
    assert sum(part.frames for part in recorder.unfinished()) == 60


def test_record_that_can_never_be_stored_does_not_hold_up_the_rest(store, clock):
    """A bad record is found, counted and left behind; those handed over with it are stored."""
    writer = Writer(store.write)
    recorder = Recorder(writer, send=True)
    good = Event("good", None, clock.now(), {"n": 1})
    recorder.event(good)
    recorder.event(replace(good, kind=None))
    recorder.event(replace(good, kind="after"))
    with running(writer):
        recorder.finish(clock.now())
    with store.read.connect() as connection:
        assert set(connection.execute(select(event_table.c.kind)).scalars()) == {"good", "after"}
    assert recorder.rejected == 1


def test_memory_is_bounded_and_the_loss_on_record(store, clock):
    """Beyond its capacity the oldest records go; how many is itself stored when the database takes records again."""
    writer = Writer(store.write, capacity=1)
    writer.submit(lambda _connection: None)  # the queue is full
    recorder = Recorder(writer, send=True, capacity=10)
    for number in range(15):
        recorder.event(Event("k", None, clock.now(), {"n": number}))
        recorder.tick(clock.now())
    assert recorder.dropped == 5
    with running(writer):
        for _ in range(100):
            recorder.tick(clock.now())
            time.sleep(0.01)
        recorder.finish(clock.now())
    with store.read.connect() as connection:
        rows = connection.execute(select(event_table.c.kind, event_table.c.data)).all()
    assert [json.loads(data)["n"] for kind, data in rows if kind == "k"] == list(range(5, 15))
    assert [json.loads(data) for kind, data in rows if kind == "records-dropped"] == [{"records": 5}]
