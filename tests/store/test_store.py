"""Opening the box's database: made, locked, counted boots, damaged files, newer versions."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DatabaseError

import cloud_sync.outbox.schema
from agent.errors import FatalError
from agent.store import DATABASE, is_running, open_store, schema
from agent.types import Instant
from cloud_sync.outbox.schema import stream

NOW = Instant(utc_ns=1_800_000_000_000_000_000, monotonic_ns=5_000_000_000, boot=0)


def open_again(folder: Path, **options):
    return open_store(folder, NOW, **options)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def stream_of(store) -> str:
    with store.read.connect() as connection:
        return connection.execute(select(stream.c.id)).scalar_one()


def test_migrations_lead_to_the_schema(tmp_path: Path):
    """A migrated database and the schema in the code are the same."""
    open_again(tmp_path).close()
    engine = create_engine(f"sqlite:///{tmp_path / DATABASE}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, [schema.metadata, cloud_sync.outbox.schema.metadata]) == []
    engine.dispose()


def test_stream_and_boot_survive_a_restart(tmp_path: Path):
    """The stream is minted once; the boot counter rises with the machine's boots, not with the agent's starts."""
    with open_again(tmp_path, boot_id="a") as first:
        minted = stream_of(first)
        assert first.boot == 1
    with open_again(tmp_path, boot_id="a") as second:
        assert (second.boot, stream_of(second)) == (1, minted)
    with open_again(tmp_path, boot_id="b") as third:
        assert (third.boot, stream_of(third)) == (2, minted)


def test_commits_are_durable_and_space_is_returned(tmp_path: Path):
    """The database is in WAL mode, syncs each commit, and can give space back."""
    with open_again(tmp_path) as store, store.write.connect() as connection:
        settings = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "auto_vacuum")
        ]
    assert settings == ["wal", 2, 2]


def test_readers_cannot_write(tmp_path: Path):
    """The reading engine refuses to change anything."""
    from sqlalchemy.exc import OperationalError

    with (
        open_again(tmp_path) as store,
        store.read.connect() as connection,
        pytest.raises(OperationalError, match="readonly"),
    ):
        connection.execute(text("DELETE FROM boot"))


def test_one_agent_a_folder(tmp_path: Path):
    """A second agent on the same folder is refused by name; the lock goes with the first."""
    with open_again(tmp_path):
        assert is_running(tmp_path)
        with pytest.raises(FatalError, match="in use by another agent"):
            open_again(tmp_path)
    assert not is_running(tmp_path)
    open_again(tmp_path).close()


def test_damaged_database_is_set_aside_and_the_box_goes_on(tmp_path: Path):
    """A file that is no database moves aside unharmed; a fresh one with a new stream takes its place."""
    with open_again(tmp_path) as store:
        before = stream_of(store)
    (tmp_path / DATABASE).write_bytes(b"not a database at all" * 1000)
    with open_again(tmp_path) as store:
        assert stream_of(store) != before
        assert store.set_aside is not None
        assert store.set_aside.read_bytes().startswith(b"not a database")


def test_damaged_page_is_found_after_an_unclean_end(tmp_path: Path):
    """After a kill the file is checked: a broken page is noticed at the start, not in the middle of a season."""
    script = (
        "import sys, os, sqlite3\n"
        "c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode=WAL')\n"
        "c.executemany('INSERT INTO event (kind, utc_ns, monotonic_ns, boot, data) VALUES (?, 1, 1, 1, ?)',"
        " [('k', 'x' * 900)] * 500); c.commit(); c.execute('PRAGMA wal_checkpoint(TRUNCATE)')\n"
        "c.execute(\"UPDATE event SET data = 'y' WHERE id = 1\"); c.commit(); os._exit(9)\n"
    )
    open_again(tmp_path).close()
    path = tmp_path / DATABASE
    subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=30)
    assert path.with_name(path.name + "-wal").exists()
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096 * 8)
    with open_again(tmp_path) as store:
        assert store.set_aside is not None


def test_database_of_a_newer_version_is_left_alone(tmp_path: Path):
    """A schema that this version does not know is refused, and nothing is changed."""
    open_again(tmp_path).close()
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = dump(tmp_path / DATABASE)
    with pytest.raises(FatalError, match=r"9999.*newer version"):
        open_again(tmp_path)
    assert dump(tmp_path / DATABASE) == before


def test_folder_that_cannot_be_written(tmp_path: Path):
    """A data directory that cannot be made is one clear line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FatalError, match=r"cannot write to data directory .*file/data: Not a directory"):
        open_again(tmp_path / "file" / "data")


def damage_events(path: Path) -> None:
    """Overwrite the first page of the table ``event``, as a failing card does."""
    with closing(sqlite3.connect(path)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_damage_met_in_the_middle_of_work_is_dealt_with_at_the_next_start(tmp_path: Path):
    """A file that was closed cleanly is not checked; when a statement meets damage, the next start is told to."""
    open_again(tmp_path).close()
    damage_events(tmp_path / DATABASE)
    with open_again(tmp_path) as store, store.read.connect() as connection:
        assert (store.set_aside, store.lost()) == (None, None)
        with pytest.raises(DatabaseError):
            connection.execute(select(schema.event)).all()
        assert "is damaged" in str(store.lost())
    with open_again(tmp_path) as store, store.read.connect() as connection:
        assert store.set_aside is not None
        assert connection.execute(select(schema.event)).all() == []
    with open_again(tmp_path) as store:
        assert store.set_aside is None


def test_sound_database_that_was_suspected_is_kept(tmp_path: Path):
    """When the check finds nothing, the file stays and the suspicion goes."""
    with open_again(tmp_path) as store:
        minted = stream_of(store)
    note = tmp_path / f"{DATABASE}-suspect"
    note.touch()
    with open_again(tmp_path) as store:
        assert (store.set_aside, stream_of(store)) == (None, minted)
    assert not note.exists()


@pytest.mark.parametrize("loss", ["deleted", "replaced"])
def test_database_that_was_taken_away_is_noticed(tmp_path: Path, loss: str):
    """Commits to a deleted file succeed, and nobody will ever see them: the store says that it is lost."""
    with open_again(tmp_path) as store:
        assert store.lost() is None
        if loss == "replaced":
            copy = tmp_path / "copy"
            copy.write_bytes(store.path.read_bytes())
            copy.replace(store.path)
        else:
            store.path.unlink()
        assert "was deleted or replaced" in str(store.lost())
