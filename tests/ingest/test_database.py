"""Opening the cloud's database."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest import open_database, schema
from cloud_sync.ingest.database import HEAD, MIGRATIONS


def test_migrations_lead_to_the_schema(tmp_path: Path) -> None:
    """A migrated database has exactly the tables, columns, keys and indexes of the schema."""
    open_database(f"sqlite:///{tmp_path / 'migrated.db'}").dispose()
    migrated = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    fresh = create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    schema.metadata.create_all(fresh)
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    assert _shape(migrated) == _shape(fresh)
    migrated.dispose()
    fresh.dispose()


def _shape(engine) -> dict[str, object]:
    found = inspect(engine)
    with engine.connect() as connection:
        return {
            table: (
                connection.exec_driver_sql(f"PRAGMA table_xinfo({table})").all(),
                sorted((index["name"], tuple(index["column_names"])) for index in found.get_indexes(table)),
                connection.exec_driver_sql(f"SELECT wr FROM pragma_table_list('{table}')").scalar(),
            )
            for table in found.get_table_names()
            if table != "alembic_version"
        }


def test_head_is_the_newest_migration() -> None:
    """The revision that a normal start expects is the newest of the folder."""
    assert max(file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("*.py")) == HEAD


def test_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """A schema from the future stops the start in one line."""
    path = tmp_path / "cloud.db"
    open_database(f"sqlite:///{path}").dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SyncFatalError, match="schema 9999, which this version does not know"):
        open_database(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me:secret@db/x", r"postgresql://me:\*\*\*@db/x is not supported; allowed: sqlite:///PATH"),
        ("sqlite://", "allowed: sqlite:///PATH"),
        ("sqlite:///:memory:", "allowed: sqlite:///PATH"),
        ("cloud.db", "allowed: sqlite:///PATH"),
        ("sqlite:////no/such/folder/cloud.db", "cannot open the database /no/such/folder/cloud.db: unable to open"),
    ],
)
def test_wrong_address_is_one_line(url: str, reason: str) -> None:
    """What is no database of this version is refused in one line that names what is allowed, and no password."""
    with pytest.raises(SyncFatalError, match=reason) as caught:
        open_database(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_other_file_is_not_touched(tmp_path: Path) -> None:
    """A file that is no database is named, and stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but dear to somebody" * 100, encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(SyncFatalError, match=r"notes\.txt is no database"):
        open_database(f"sqlite:///{path}")
    assert path.read_bytes() == before
