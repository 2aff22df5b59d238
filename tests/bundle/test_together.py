"""Stick and network at the same time."""

import subprocess
import sys
import threading
from pathlib import Path

from sqlalchemy import Engine

from cloud_sync.ingest import open_database
from tests.bundle.carry import contents, export, fill, many, take
from tests.faults.ends import BoxEnd, CloudEnd, fast_settings
from tests.waiting import eventually


def alone(box: BoxEnd, tmp_path: Path) -> dict[str, list[tuple]]:
    """What a cloud holds into which the box's outbox went once, by stick, with nobody beside."""
    folder = tmp_path / "alone"
    folder.mkdir()
    export(tmp_path / "box.db", folder)
    database = open_database(f"sqlite:///{folder / 'cloud.db'}")
    take(database, folder)
    held = contents(database)
    database.dispose()
    return held


def test_network_drains_while_the_stick_is_imported(
    box: BoxEnd, cloud: CloudEnd, stick: Path, tmp_path: Path, mosquitto
):
    """Rows that come both ways at once, over and over, are stored once, and the outbox empties."""
    fill(box, 400)
    many(box, 400)
    expected = alone(box, tmp_path)
    export(tmp_path / "box.db", stick, part_bytes=30_000)
    database = open_database(cloud.url)
    done = threading.Event()
    problems: list[str] = []

    def import_again_and_again() -> None:
        while not done.is_set():
            problems.extend(result.problem for result in take(database, stick) if result.problem)

    importing = threading.Thread(target=import_again_and_again)
    cloud.start(mosquitto.url)
    importing.start()
    box.start_uplink(fast_settings(mosquitto.url))
    try:
        eventually(lambda: box.waiting() == [], within_s=40)
    finally:
        done.set()
        importing.join(30)
    take(database, stick)
    assert problems == []
    assert contents(database) == expected
    database.dispose()


def test_two_imports_at_once(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """The same stick imported by two at the same time, in opposite order, is stored once."""
    fill(box, 400)
    many(box, 200)
    expected = alone(box, tmp_path)
    parts = export(tmp_path / "box.db", stick, part_bytes=20_000).parts
    problems: list[str] = []

    def work(order: list[Path]) -> None:
        own = open_database(database.url.render_as_string(hide_password=False))
        problems.extend(result.problem for result in take(own, *order) if result.problem)
        own.dispose()

    threads = [threading.Thread(target=work, args=(order,)) for order in (parts, parts[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert contents(database) == expected


IMPORTING = """
import sys
from pathlib import Path
from cloud_sync.ingest import open_database
from tests.bundle.carry import take
take(open_database(sys.argv[1]), Path(sys.argv[2]))
"""


def test_import_killed(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """An import that is killed at some moment has stored whole blocks; the same import again does the rest."""
    many(box, 3000)
    expected = alone(box, tmp_path)
    export(tmp_path / "box.db", stick)
    command = [sys.executable, "-c", IMPORTING, database.url.render_as_string(hide_password=False), str(stick)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    eventually(lambda: contents(database)["received"], within_s=30)
    process.kill()
    process.wait(10)
    [(_, first, last)] = contents(database)["received"]
    assert (first, len(contents(database)["event"])) == (1, last)
    [result] = take(database, stick)
    assert (result.problem, result.fresh) == ("", 3000 - last)
    assert contents(database) == expected
