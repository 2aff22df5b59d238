"""What every cloud database promises when several workers store at once, and are killed."""

import random
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud_sync.ingest import open_database, schema
from cloud_sync.ingest.committing import CannotStoreError
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import Box
from tests.faults.ends import BOX, CloudEnd, rollup_row
from tests.ingest.messages import event, put, rollups

BOXES = [Box("orchard", f"box-{number}") for number in range(5)]
STREAMS = {box: f"{number:032x}" for number, box in enumerate(BOXES)}
ENTRIES = 40


def everything() -> list[Arrived]:
    """Entries 1 to ENTRIES of each box: every fourth an event, and of the windows each in two revisions."""
    messages = []
    for box in BOXES:
        for seq in range(1, ENTRIES + 1):
            where = {"box": box, "stream": STREAMS[box]}
            row = rollup_row(seq // 2, revision=seq % 2 + 1, unique_tracks=seq)
            messages.append(event(seq, f"kind-{seq}", **where) if seq % 4 == 0 else rollups(seq, row, **where))
    return messages


def deal(seed: int, hands: int) -> list[list[Arrived]]:
    """Give each message to two workers, each in an order of its own."""
    dice = random.Random(seed)
    dealt: list[list[Arrived]] = [[] for _ in range(hands)]
    for message in everything():
        for hand in dice.sample(dealt, 2):
            hand.append(message)
    for hand in dealt:
        dice.shuffle(hand)
    return dealt


def check_everything(cloud: CloudEnd) -> None:
    """The sets that were sent are there, each once, and the ledger says so without a gap."""
    numbers = range(1, ENTRIES + 1)
    assert {(row.stream, row.first, row.last) for row in cloud.rows(schema.received)} == {
        (stream, 1, ENTRIES) for stream in STREAMS.values()
    }
    events = Counter((row.stream, row.seq, row.kind) for row in cloud.rows(schema.event))
    assert events == Counter((stream, seq, f"kind-{seq}") for stream in STREAMS.values() for seq in numbers[3::4])
    newest = {}
    for seq in numbers:
        if seq % 4:
            row = rollup_row(seq // 2, revision=seq % 2 + 1, unique_tracks=seq)
            newest[row.start] = max(newest.get(row.start, (0, 0)), (row.revision, row.unique_tracks))
    found = Counter((row.device, row.start, row.revision, row.unique_tracks) for row in cloud.rows(schema.rollup))
    assert found == Counter((box.device, start, *values) for box in BOXES for start, values in newest.items())


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_at_once_give_the_exact_sets(cloud_url: str, seed: int) -> None:
    """Four workers with each message at two of them, in any order and in batches of any size, store each row once and
    lose no range of the ledger."""
    failures: list[BaseException] = []

    def work(hand: list[Arrived]) -> None:
        engine = open_database(cloud_url)
        dice = random.Random(len(hand))
        try:
            while hand:
                size = dice.randint(1, 12)
                with suppress(CannotStoreError):  # on SQLite the others may keep the lock for long; then once more
                    put(engine, *hand[:size])
                    del hand[:size]
        except BaseException as error:  # noqa: BLE001  told below
            failures.append(error)
        finally:
            engine.dispose()

    threads = [threading.Thread(target=work, args=(hand,)) for hand in deal(seed, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    cloud = CloudEnd(cloud_url)
    check_everything(cloud)
    cloud.close()


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_killed_worker_loses_and_doubles_nothing(cloud_url: str, moment: str) -> None:
    """Whether it is killed before, in the middle of or right after its commit: the batch comes again, and is there
    once. Nothing of it was told before."""
    open_database(cloud_url).dispose()
    killed = subprocess.run(
        [sys.executable, "-m", "tests.conformance.test_cloud_workers", cloud_url, moment],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert killed.stdout == ""
    cloud = CloudEnd(cloud_url)
    assert cloud.count(schema.event) == (len(BOXES) * ENTRIES // 4 if moment == "after" else 0)
    engine = open_database(cloud_url)
    put(engine, *everything())
    engine.dispose()
    check_everything(cloud)
    cloud.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_workers_that_start_together_make_one_schema(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Of several workers on a database that is empty one makes the schema, and the others find it."""
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path / 'c.db'}"
    program = "import sys; from cloud_sync.ingest import open_database; open_database(sys.argv[1])"
    workers = [subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE) for _ in range(3)]
    assert [(worker.communicate()[1], worker.returncode) for worker in workers] == [(b"", 0)] * 3


@pytest.mark.parametrize("code", ["40P01", "40001"])
def test_a_crossing_of_locks_is_repeated(postgres_url: str, code: str) -> None:
    """A batch that PostgreSQL gives up, to end a deadlock or for a serialisation failure, is stored by the next try."""
    engine = open_database(postgres_url)
    with engine.begin() as connection:  # a sequence goes on counting when its transaction is given up
        connection.execute(text("CREATE SEQUENCE tries"))
        body = f"BEGIN IF nextval('tries') < 3 THEN RAISE EXCEPTION USING ERRCODE = '{code}'; END IF; RETURN NEW; END"
        connection.execute(text(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"))
        connection.execute(text("CREATE TRIGGER fail BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION fail()"))
    assert put(engine, event(1))[BOX][0].through == 1
    with engine.begin() as connection:
        connection.execute(text("ALTER SEQUENCE tries MINVALUE -9 START -9 RESTART"))
    with pytest.raises(CannotStoreError):  # it does not try for ever
        put(engine, event(2))
    engine.dispose()


def _kill_at(url: str, moment: str) -> None:
    """Store everything in one batch, and die at that moment, as ``kill -9`` ends a process."""
    import os
    import signal

    from sqlalchemy import event as sqlalchemy_event

    engine = open_database(url)

    def die(*_arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "during":  # all statements are there, the commit is not
        sqlalchemy_event.listen(engine, "commit", die)
    elif moment == "before":
        written = 0

        def count(*_arguments: object) -> None:
            nonlocal written
            written += 1
            if written == 8:
                die()

        sqlalchemy_event.listen(engine, "after_cursor_execute", count)
    put(engine, *everything())
    die()


if __name__ == "__main__":
    _kill_at(*sys.argv[1:])
