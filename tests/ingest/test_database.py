"""Opening the cloud's database."""

import sqlite3
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Column, MetaData, Table, create_engine, insert, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest import open_database, schema
from cloud_sync.ingest.database import HEAD, MIGRATIONS, DatabaseAwayError, open_for_reading
from cloud_sync.ingest.partitions import make_partitions
from cloud_sync.migrate import migrate
from cloud_sync.sqlite import open_sqlite
from cloud_sync.wire import MeasureRow
from tests.faults.ends import BOX, rollup_row
from tests.ingest.messages import STREAM, event, put, rollups, rows
from tests.postgres import PASSWORD, Postgres

LEFT, ASKED = "d" * 32, "e" * 32


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


def test_migrations_lead_to_the_schema_on_postgresql(postgres_url: str) -> None:
    """On PostgreSQL, too, migrations and schema agree; the big tables are partitioned."""
    engine = open_database(postgres_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        partitioned = connection.execute(text("SELECT relname FROM pg_class WHERE relkind = 'p'")).scalars()
        assert set(partitioned) == {"rollup", "measure", "evidence"}
    engine.dispose()


def test_first_schema_with_rows_is_upgraded(tmp_path: Path) -> None:
    """A database of the first version keeps every row, and stores what is new."""
    path = tmp_path / "cloud.db"
    engine = open_sqlite(path, write=True)
    migrate(engine, MIGRATIONS, head="0001", landmark="received")
    window = ("orchard", "box-1", "north", "*", "apple", 1_700_000_000, 60)
    with engine.begin() as connection:
        places = ", ".join("?" * 17)
        row = (*window, 1, 60_000, 300, 7, 0.5, 3, None, "", STREAM, 1)
        connection.exec_driver_sql(f"INSERT INTO rollup VALUES ({places})", [row])
        measured = (*window[:5], "dwell_s", *window[5:], 1, 2, 3.0, 1.0, 2.0, STREAM, 1)
        connection.exec_driver_sql(f"INSERT INTO measure VALUES ({', '.join('?' * 15)})", [measured])
        connection.exec_driver_sql("INSERT INTO stream VALUES (?, 'orchard', 'box-1', 5)", [(STREAM,)])
        connection.exec_driver_sql("INSERT INTO received VALUES (?, 1, 9)", [(STREAM,)])
        connection.exec_driver_sql("INSERT INTO device VALUES ('orchard', 'box-1', 'online', 1, 2, '{}', '{}', 3)")
    engine.dispose()
    engine = open_database(f"sqlite:///{path}")
    [stored] = rows(engine, schema.rollup)
    assert (stored.camera, stored.class_name, stored.start, stored.length) == ("north", "apple", 1_700_000_000, 60)
    assert (stored.unique_tracks, stored.stream) == (7, STREAM)
    [stored] = rows(engine, schema.measure)
    assert (stored.name, stored.start, stored.total, stored.most) == ("dwell_s", 1_700_000_000, 3.0, 2.0)
    assert put(engine, event(10))[BOX][0].through == 10
    assert rows(engine, schema.device)[0].state == "online"
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_second_schema_with_rows_is_upgraded(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Rows are told apart by the database of their box from then on: what comes again of each changes its own alone."""
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path / 'cloud.db'}"
    _make_second(url)
    engine = open_database(url)
    assert {row.id: row.database for row in rows(engine, schema.stream)} == {STREAM: 0, LEFT: 1, ASKED: 1}
    assert {(row.start, row.stream, row.database) for row in rows(engine, schema.rollup)} == {
        (rollup_row(0).start, STREAM, 0),
        (rollup_row(1).start, LEFT, 1),
    }
    assert [row.database for row in rows(engine, schema.measure)] == [1]
    put(engine, rollups(5, rollup_row(1, unique_tracks=9)._replace(revision=2), stream=ASKED))
    put(engine, rollups(5, rollup_row(1, unique_tracks=4)))
    with engine.connect() as connection:
        hourly = connection.execute(text("SELECT sum(unique_tracks) FROM rollup_hourly")).scalar_one()
    assert hourly == 7 + 9 + 4
    engine.dispose()


def _make_second(url: str) -> None:
    """Make a database of version 0002: a box had a new disk, and was then asked for a new stream."""
    parts = make_url(url)
    sqlite = parts.drivername == "sqlite"
    engine = open_sqlite(Path(str(parts.database)), write=True) if sqlite else create_engine(psycopg_url(url))
    migrate(engine, MIGRATIONS, head="0002", landmark="received")
    tables_moments = ((schema.rollup, [rollup_row(0).start]), (schema.measure, [rollup_row(1).start]))
    with engine.begin() as connection:
        if not sqlite:
            for table, moments in tables_moments:
                make_partitions(connection, table, moments)
        for number, (stream, remint) in enumerate(((STREAM, None), (LEFT, "asked"), (ASKED, None))):
            values = {"id": stream, "site": BOX.site, "device": BOX.device, "first_seen_ms": number, "remint": remint}
            connection.execute(insert(schema.stream).values(**values))
        origin = {"site": BOX.site, "device": BOX.device, "boot": 1}
        for number, stream in ((0, STREAM), (1, LEFT)):
            row = rollup_row(number, unique_tracks=7 * (1 - number))._asdict()
            connection.execute(insert(_before(schema.rollup)).values(**row, **origin, stream=stream))
        reading = MeasureRow("north", "*", "*", "dwell_s", rollup_row(1).start, 60, 1, 1, 2.0, 2.0, 2.0)._asdict()
        connection.execute(insert(_before(schema.measure)).values(**reading, **origin, stream=LEFT))
    engine.dispose()


def _before(table: Table) -> Table:
    """Return a table of windows as it was in version 0002."""
    columns = [Column(column.name, column.type) for column in table.c if column.name != "database"]
    return Table(table.name, MetaData(), *columns)


def psycopg_url(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")


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
        ("mysql://me:secret@db/x", r"mysql://me:\*\*\*@db/x is not supported; allowed: sqlite:///PATH or postgresql:"),
        ("postgresql://me:secret@db", r"postgresql://me:\*\*\*@db is not supported; allowed: sqlite:///PATH or postg"),
        ("postgresql://me:secret@db:port/x", "database address cannot be read; allowed: sqlite:///PATH or postgresql:"),
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


def test_what_postgresql_refuses_is_one_line(postgres_server: Postgres, postgres_url: str, tmp_path: Path) -> None:
    """A wrong password, a database that is not there and one of somebody else end with one line without a password."""
    empty = postgres_server.create_database()
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    wrong = tmp_path / "password"
    wrong.write_text("not this one\n", encoding="utf-8")
    bare = postgres_url.replace(PASSWORD.replace(" ", "%20"), "").replace("postgres:@", "postgres@")
    cases = [
        (postgres_server.url("postgres", password="wrong"), None, "cannot open the database .* authentication failed"),
        (bare, wrong, "cannot open the database .* authentication failed"),
        (bare, None, "no password supplied"),
        (bare, tmp_path / "absent", "cannot read the database's password file .*absent: No such file"),
        (postgres_url, wrong, "a password in its address and one in a file: give one of them"),
        (postgres_server.url("nowhere"), None, 'database "nowhere" does not exist'),
        (empty, None, "is the database of another program"),
        (postgres_server.url("latin"), None, "has the encoding LATIN1"),
    ]
    for url, file, reason in cases:
        with pytest.raises(SyncFatalError, match=reason) as caught:
            open_database(url, file)
        assert not isinstance(caught.value, DatabaseAwayError)
        assert "\n" not in str(caught.value)
        assert not any(secret in str(caught.value) for secret in (PASSWORD, "for%20tests", "not this one", ":wrong"))
    for url in (empty, postgres_server.url("latin")):
        postgres_server.drop_database(url)


def test_password_comes_from_a_file(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password may be the first line of a file, or stand where libpq looks for it."""
    bare = postgres_url.replace(PASSWORD.replace(" ", "%20"), "").replace("postgres:@", "postgres@")
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\nsecond line\n", encoding="utf-8")
    open_database(bare, file).dispose()
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:postgres:{PASSWORD}\n", encoding="utf-8")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    open_database(bare).dispose()
    with pytest.raises(SyncFatalError, match="an SQLite database has no password"):
        open_database(f"sqlite:///{tmp_path / 'c.db'}", file)


def test_server_that_is_away_is_told_from_one_that_refuses(free_port: int) -> None:
    """Nobody listening is no reason to end: it may come."""
    with pytest.raises(DatabaseAwayError, match=r"cannot reach the database postgresql://me@127\.0\.0\.1:.*refused"):
        open_database(f"postgresql://me@127.0.0.1:{free_port}/x")


def test_reader_changes_nothing(cloud_url: str, tmp_path: Path) -> None:
    """Who opens for reading needs the schema of this version, makes none, and cannot write."""
    with pytest.raises(SyncFatalError, match="there is no database"):
        open_for_reading(f"sqlite:///{tmp_path / 'absent.db'}")
    assert not (tmp_path / "absent.db").exists()
    open_database(cloud_url).dispose()
    reader = open_for_reading(cloud_url)
    assert rows(reader, schema.event) == []
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"), reader.begin() as connection:
        connection.execute(schema.event.delete())
    reader.dispose()
    writer = open_database(cloud_url)
    with writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    writer.dispose()
    with pytest.raises(SyncFatalError, match=f"is at schema 9999, this version reads {HEAD}"):
        open_for_reading(cloud_url)
    with pytest.raises(SyncFatalError, match="schema 9999, which this version does not know"):
        open_database(cloud_url)


def test_postgresql_without_its_driver_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where psycopg is not installed the line says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SyncFatalError, match=r"pip install 'hedgerow\[postgresql\]'"):
        open_database("postgresql://me@db/x")


def test_the_database_of_a_box_is_not_read_as_the_clouds(tmp_path: Path) -> None:
    """Both ends count their schemas from 1: one is named for what it is, and stays as it was."""
    path = tmp_path / "hedgerow.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    before = path.read_bytes()
    with pytest.raises(SyncFatalError, match=r"hedgerow\.db is the database of a box; give that of"):
        open_for_reading(f"sqlite:///{path}")
    assert path.read_bytes() == before
