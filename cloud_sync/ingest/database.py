"""Opens the cloud's database: PostgreSQL or SQLite, by its address."""

import importlib.util
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest.on_postgresql import PostgresTables
from cloud_sync.ingest.on_sqlite import SqliteTables
from cloud_sync.ingest.tables import Tables
from cloud_sync.migrate import ForeignDatabaseError, SchemaTooNewError, current_revision, has_table, migrate
from cloud_sync.sqlite import open_sqlite

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0004"
LANDMARK = "received"  # a table of every revision, and of no database of a box

ALLOWED = "allowed: sqlite:///PATH or postgresql://USER@HOST/DATABASE"

_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "not permitted to log in",
    "permission denied",
)
"""What a server says that waiting does not mend; libpq hands over no code for errors at login."""

_SETTINGS = {
    "lock_timeout": "10s",  # a lock that somebody forgot must not hold the worker and its broker connection
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",  # ends the locks of a worker that was stopped in the middle
}


class DatabaseAwayError(SyncFatalError):
    """The server does not answer now; later it may."""


def open_database(url: str, password_file: Path | None = None) -> Engine:
    """Open the database for writing, and bring it to this version's schema; an SQLite file is created if need be.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://USER@HOST[:PORT]/DATABASE``.
        password_file: Its first line is the password. Without one, and without one in the address, libpq looks in
            PGPASSWORD, PGPASSFILE and ~/.pgpass.

    Raises:
        DatabaseAwayError: The server does not answer now.
        SyncFatalError: Another kind of database, or one that cannot be opened. No message shows a password.
    """
    engine, name = _engine(url, password_file, write=True)
    try:
        _require_unicode(engine, name)
        migrate(engine, MIGRATIONS, head=HEAD, landmark=LANDMARK)
    except ForeignDatabaseError:
        engine.dispose()
        raise SyncFatalError(_foreign(engine, name, "give ingest one of its own")) from None
    except SchemaTooNewError as error:
        engine.dispose()
        raise SyncFatalError(f"{name}: {error}") from error
    except DBAPIError as error:
        engine.dispose()
        raise _explained(engine, name, error) from error
    return engine


def open_for_reading(url: str, password_file: Path | None = None) -> Engine:
    """Open a database that ``hedgerow ingest`` has made, for reading alone.

    Raises:
        DatabaseAwayError: The server does not answer now.
        SyncFatalError: There is none, or it is of another version. No message shows a password.
    """
    engine, name = _engine(url, password_file, write=False)
    try:
        found = current_revision(engine)
        is_ours = found is None or has_table(engine, LANDMARK)
    except DBAPIError as error:
        engine.dispose()
        raise _explained(engine, name, error) from error
    if not is_ours:
        engine.dispose()
        raise SyncFatalError(_foreign(engine, name, "give that of `hedgerow ingest`"))
    if found != HEAD:
        engine.dispose()
        state = f"is at schema {found}" if found else "has no schema yet"
        raise SyncFatalError(
            f"{name} {state}, this version reads {HEAD}; `hedgerow ingest` of this version brings it there"
        )
    return engine


def tables_of(connection: Connection) -> Tables:
    """Return the tables in the words of the database behind a connection."""
    return PostgresTables() if connection.dialect.name == "postgresql" else SqliteTables()


def one_line(error: DBAPIError) -> str:
    """Return what the driver says, on one line and without what SQLAlchemy adds: the statement holds people's data."""
    lines = (line.strip() for line in str(error.orig).splitlines())
    return " ".join(line for line in lines if line and not line.startswith("Multiple connection attempts"))


def _engine(url: str, password_file: Path | None, *, write: bool) -> tuple[Engine, str]:
    """Return an engine that has not connected yet, and the name of its database for people."""
    parts = _parts(url)
    if parts.drivername == "sqlite" and not parts.host and parts.database not in (None, "", ":memory:"):
        path = Path(str(parts.database))
        if password_file is not None:
            raise SyncFatalError("an SQLite database has no password: leave the password file out")
        if not write and not path.exists():
            raise SyncFatalError(f"there is no database {path}")
        return open_sqlite(path, write=write), str(path)
    if parts.drivername in ("postgresql", "postgresql+psycopg", "postgres") and parts.database:
        return _open_postgresql(_with_password(parts, password_file), write=write), _shown(parts)
    raise SyncFatalError(f"database {_shown(parts)} is not supported; {ALLOWED}")


def _parts(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise SyncFatalError(f"database address cannot be read; {ALLOWED}") from None


def _with_password(parts: URL, password_file: Path | None) -> URL:
    parts = parts.set(drivername="postgresql+psycopg")
    if password_file is None:
        return parts
    if parts.password is not None:
        raise SyncFatalError("the database has a password in its address and one in a file: give one of them")
    try:
        line = password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SyncFatalError(f"cannot read the database's password file {password_file}: {reason}") from None
    return parts.set(password=line)


def _shown(parts: URL) -> str:
    """Return an address without its password, also where that stands in the query."""
    return parts.set(query={}).render_as_string(hide_password=True)


def _open_postgresql(url: URL, *, write: bool) -> Engine:
    if importlib.util.find_spec("psycopg") is None:
        raise SyncFatalError("a PostgreSQL database needs the extra: pip install 'hedgerow[postgresql]'")
    settings = _SETTINGS if write else {"default_transaction_read_only": "on"}
    # One connection for the batch, one for partitions beside it. Keepalives: a server whose machine vanished is given
    # up within half a minute.
    patience = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    arguments = {**patience, "application_name": "hedgerow", "client_encoding": "utf8"}
    try:
        engine = create_engine(url, pool_size=1, max_overflow=1, pool_pre_ping=not write, connect_args=arguments)
    except ImportError as error:  # psycopg without a libpq
        raise SyncFatalError(f"a PostgreSQL database needs the extra [postgresql]: {error}") from None

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        for name, value in settings.items():
            connection.execute(f"SET {name} = '{value}'")
        connection.autocommit = False

    return engine


def _require_unicode(engine: Engine, name: str) -> None:
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as connection:
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        engine.dispose()
        raise SyncFatalError(f"{name} has the encoding {encoding}; names of cameras and zones need UTF8")


def _foreign(engine: Engine, name: str, advice: str) -> str:
    whose = "another program" if engine.dialect.name == "postgresql" else "a box"
    return f"{name} is the database of {whose}; {advice}"


def _explained(engine: Engine, name: str, error: DBAPIError) -> SyncFatalError:
    words = one_line(error)
    if engine.dialect.name == "postgresql":
        if isinstance(error, OperationalError) and not any(refusal in words for refusal in _REFUSALS):
            return DatabaseAwayError(f"cannot reach the database {name}: {words}")
        return SyncFatalError(f"cannot open the database {name}: {words}")
    if isinstance(error, OperationalError):
        return SyncFatalError(f"cannot open the database {name}: {words}")
    return SyncFatalError(f"{name} is no database, or a damaged one: {words}")
