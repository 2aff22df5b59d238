"""What is written to a stick: from a snapshot, in parts, as far as there is room."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from cloud_sync.bundle import BundleError
from cloud_sync.bundle.blocks import BlockReader
from cloud_sync.bundle.contents import parse_header
from cloud_sync.ingest import open_database, schema
from cloud_sync.outbox.schema import stream
from tests.bundle.carry import export, fill, many, take
from tests.faults.ends import BoxEnd


@pytest.fixture
def cloud_database(tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path / 'cloud.db'}")
    yield engine
    engine.dispose()


def received(database: Engine) -> list[tuple[int, int]]:
    with database.connect() as connection:
        return [(row.first, row.last) for row in connection.execute(select(schema.received))]


def test_snapshot_while_the_box_works_on(box: BoxEnd, cloud_database: Engine, stick: Path, tmp_path: Path):
    """An export is of one moment: what is added, settled or numbered anew meanwhile changes nothing in it."""
    many(box, 500)
    done: list[int] = []

    def meanwhile(at: int, _total: int) -> None:
        if not done:
            box.add_event("later").result(10)
            box.outbox.settle(through=400).result(10)
            box.outbox.remint("a test").result(10)
        done.append(at)

    exported = export(tmp_path / "box.db", stick, on_progress=meanwhile)
    assert (exported.entries, exported.through, done[-1]) == (500, 500, 500)
    assert exported.stream != box.outbox.stream
    [result] = take(cloud_database, stick)
    assert (result.problem, result.entries) == ("", 500)
    assert received(cloud_database) == [(1, 500)]


def test_two_exports_at_once(box: BoxEnd, cloud_database: Engine, stick: Path, tmp_path: Path):
    """Two exports onto one stick at the same time stay out of each other's way."""
    many(box, 500)
    threads = [threading.Thread(target=export, args=(tmp_path / "box.db", stick)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    results = take(cloud_database, stick)
    assert [(result.problem, result.entries) for result in results] == [("", 500)] * 2


def test_empty_outbox(box: BoxEnd, stick: Path, tmp_path: Path):
    """Where nothing waits, nothing is written."""
    assert export(tmp_path / "box.db", stick).parts == []
    assert list(stick.iterdir()) == []


def test_entry_that_is_no_message(box: BoxEnd, cloud_database: Engine, stick: Path, tmp_path: Path):
    """An entry that can never be sent is counted and left out; those joined with it go out alone."""
    box.add_rollups(0, 3)
    box.add_raw("rollup", b'{"rollups": [["north"]], "measures": []}').result(10)
    box.add_rollups(3, 2).result(10)
    exported = export(tmp_path / "box.db", stick)
    assert (exported.entries, exported.unsendable) == (5, 1)
    take(cloud_database, stick)
    assert received(cloud_database) == [(1, 3), (5, 6)]


def test_part_of_the_outbox(box: BoxEnd, cloud_database: Engine, stick: Path, tmp_path: Path):
    """An export can go on where another ended."""
    fill(box)
    exported = export(tmp_path / "box.db", stick, after=30)
    assert exported.entries == 4
    take(cloud_database, stick)
    assert received(cloud_database) == [(31, 35)]


def test_folder_that_cannot_be_used(box: BoxEnd, stick: Path, tmp_path: Path):
    """A folder that is absent or a file is one clear line, before anything is written."""
    fill(box)
    for wrong in (stick / "no", tmp_path / "box.db"):
        with pytest.raises(BundleError, match="is no folder; give the folder where the stick is mounted"):
            export(tmp_path / "box.db", wrong)


def test_database_without_a_stream(box: BoxEnd, stick: Path, tmp_path: Path):
    """A database whose first start was cut short, and a file that is none, are one clear line."""
    box.writer.submit(lambda connection: connection.execute(stream.delete())).result(10)
    with pytest.raises(BundleError, match="no stream yet"):
        export(tmp_path / "box.db", stick)
    (tmp_path / "noise.db").write_bytes(b"noise" * 1000)
    with pytest.raises(BundleError, match="cannot read the box's database: file is not a database"):
        export(tmp_path / "noise.db", stick)


def test_birth_goes_along_with_the_stream_of_now(box: BoxEnd, stick: Path, tmp_path: Path):
    """The birth message on the stick names the stream that is on it, and no number that has passed."""
    fill(box)
    [part] = export(tmp_path / "box.db", stick).parts
    with part.open("rb") as file:
        header = parse_header(BlockReader(file, "bundle").read().body)
    assert (header.birth.stream, header.birth.next_seq, header.birth.key) == (box.outbox.stream, None, header.key)


WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
from cloud_sync.bundle import BundleError
from tests.bundle.carry import export
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    export(Path(sys.argv[1]), Path(sys.argv[2]), part_bytes=int(sys.argv[4]))
except BundleError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [0, 10, 2_000, 150_000])
def test_no_room(box: BoxEnd, cloud_database: Engine, stick: Path, tmp_path: Path, room: int):
    """When the kernel takes no more bytes, one line says up to where all is written; another stick goes on there."""
    many(box, 600)
    command = [sys.executable, "-c", WITHOUT_ROOM, str(tmp_path / "box.db"), str(stick), str(room), str(10**9)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    if room < 10_000:
        assert ran.stdout.strip() == f"{stick} is full: nothing was written"
        assert list(stick.iterdir()) == []
        return
    words = ran.stdout.split("up to seq ")
    assert len(words) == 2, ran.stdout
    through = int(words[1].split()[0])
    [partial] = stick.iterdir()
    assert partial.stat().st_size < room, "the piece of a block that did not fit gives its room back"
    [result] = take(cloud_database, stick)
    assert (result.entries, result.last) == (through, through)
    assert "cut short" in result.problem
    export(tmp_path / "box.db", stick, after=through)
    take(cloud_database, stick)
    assert received(cloud_database) == [(1, 600)]


FOREVER = """
import sys
from pathlib import Path
from tests.bundle.carry import export
while True:
    export(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_killed_while_it_writes(box: BoxEnd, cloud_database: Engine, stick: Path, tmp_path: Path):
    """An export that is killed leaves whole files, and one that is known as unfinished and used as far as it goes."""
    many(box, 4_000)
    command = [sys.executable, "-c", FOREVER, str(tmp_path / "box.db"), str(stick)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    end = time.monotonic() + 30
    while not any(path.stat().st_size > 70_000 for path in stick.glob("*.hedgerow-partial")):
        assert time.monotonic() < end
        time.sleep(0.005)
    process.kill()
    process.wait()
    unfinished = take(cloud_database, *stick.glob("*.hedgerow-partial"))
    assert all("cut short" in result.problem for result in unfinished)
    assert any(result.entries for result in unfinished)
    assert received(cloud_database) == [(1, max(result.last for result in unfinished))]
    export(tmp_path / "box.db", stick)
    assert [result.problem for result in take(cloud_database, *stick.glob("*.hedgerow"))].count("") >= 1
    assert received(cloud_database) == [(1, 4_000)]


def test_memory_stays_flat(box: BoxEnd, stick: Path, tmp_path: Path):
    """The memory that an export takes does not follow the size of the outbox."""
    peaks = []
    for size in (500, 4_000):
        many(box, size)
        code = (
            "import sys, tracemalloc; from pathlib import Path; from tests.bundle.carry import export\n"
            "tracemalloc.start(); export(Path(sys.argv[1]), Path(sys.argv[2]))\n"
            "print(tracemalloc.get_traced_memory()[1])"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "box.db"), str(stick)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        peaks.append(int(ran.stdout))
    assert peaks[1] < 1.5 * peaks[0], peaks
