"""The one writer: group commit, containment, refusal when full."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from agent.errors import RetryableError
from agent.store import Writer
from cloud_sync.sqlite import open_sqlite


@pytest.fixture
def engine(tmp_path: Path):
    engine = open_sqlite(tmp_path / "test.db", write=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE row (n INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


@pytest.fixture
def running(engine: Engine):
    """A writer with its thread."""
    writer = Writer(engine)
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop, lambda: None))
    thread.start()
    yield writer
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def add(n: int):
    return lambda connection: connection.execute(text("INSERT INTO row VALUES (:n)"), {"n": n}).rowcount


def numbers(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT n FROM row")).scalars())


def test_result_comes_after_the_commit(running: Writer, engine: Engine):
    """A future that has ended means that the row is durable and visible to others."""
    assert running.submit(add(1)).result(5) == 1
    assert numbers(engine) == {1}


def test_one_bad_function_leaves_the_others_alone(running: Writer, engine: Engine):
    """What a function does before it fails is undone; functions committed with it stay."""

    def half_way(connection):
        connection.execute(text("INSERT INTO row VALUES (99)"))
        raise KeyError("oops")

    futures = [running.submit(add(1)), running.submit(half_way), running.submit(add(2))]
    assert [future.exception(5) and type(future.exception(5)) for future in futures] == [None, KeyError, None]
    assert numbers(engine) == {1, 2}


def test_full_queue_refuses_in_one_line(engine: Engine):
    """A queue that is full refuses at once, says so, and takes nothing."""
    writer = Writer(engine, capacity=2)
    writer.submit(add(1))
    writer.submit(add(2))
    with pytest.raises(RetryableError, match="2 writes are waiting") as refusal:
        writer.submit(add(3))
    assert "\n" not in str(refusal.value)
    stop = threading.Event()
    stop.set()
    writer.run(stop, lambda: None)
    assert numbers(engine) == {1, 2}


def test_stop_commits_what_is_queued(engine: Engine):
    """Work that was accepted before the stop is committed before the thread ends."""
    writer = Writer(engine)
    futures = [writer.submit(add(n)) for n in range(300)]
    stop = threading.Event()
    stop.set()
    writer.run(stop, lambda: None)
    assert all(future.done() for future in futures)
    assert numbers(engine) == set(range(300))


def test_a_locked_database_fails_the_batch_and_the_next_one_works(tmp_path: Path, engine: Engine):
    """A commit that fails tells every caller of its group, and the writer goes on."""
    writer = Writer(engine)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout=50"))  # of the pooled connection the writer gets next
    blocker = open_sqlite(tmp_path / "test.db", write=True)
    stop = threading.Event()
    stop.set()
    with blocker.begin() as connection:
        connection.execute(text("INSERT INTO row VALUES (7)"))
        future = writer.submit(add(1))
        writer.run(stop, lambda: None)
        assert isinstance(future.exception(0), OperationalError)
    again = writer.submit(add(1))
    writer.run(stop, lambda: None)
    assert again.result(0) == 1
    blocker.dispose()


def test_commits_are_announced(engine: Engine):
    """Those who wait for new rows hear of each commit."""
    heard = threading.Event()
    writer = Writer(engine, on_commit=heard.set)
    writer.submit(add(1))
    stop = threading.Event()
    stop.set()
    writer.run(stop, lambda: None)
    assert heard.is_set()


def test_commits_that_fail_for_a_while_are_two_lines(tmp_path: Path):
    """A disk that is full for hours is told at the first commit that fails and at the first that works again."""
    engine = open_sqlite(tmp_path / "none" / "test.db", write=True)
    writer, stop = Writer(engine), threading.Event()
    with capture_logs() as lines:
        thread = threading.Thread(target=writer.run, args=(stop, lambda: None))
        thread.start()
        for _ in range(5):
            assert isinstance(writer.submit(add(1)).exception(5), OperationalError)
        (tmp_path / "none").mkdir()
        assert writer.submit(lambda _connection: 1).result(5) == 1
        stop.set()
        thread.join(5)
    assert [line["event"] for line in lines] == ["commit_failed", "commits_again"]
    assert lines[0]["error"] == "unable to open database file"
    assert lines[1]["failures"] == 5
    engine.dispose()
