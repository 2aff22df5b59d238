"""Opens the cloud's database for looking: nothing can be changed through it."""

from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest.database import HEAD
from cloud_sync.sqlite import open_sqlite

ALLOWED = "allowed: sqlite:///PATH or postgresql://USER@HOST/DATABASE"


def open_reader(url: str) -> Engine:
    """Open a database that ``hedgerow ingest`` made.

    Raises:
        SyncFatalError: There is none, it cannot be read, or it is of another version; the message never shows a
            password.
    """
    try:
        parts = make_url(url)
    except ArgumentError:
        raise SyncFatalError(f"database address cannot be read; {ALLOWED}") from None
    shown = parts.render_as_string(hide_password=True)
    engine = _sqlite(parts) if parts.drivername == "sqlite" else _postgresql(parts, shown)
    try:
        _check(engine, shown)
    except DatabaseError as error:
        engine.dispose()
        raise SyncFatalError(f"cannot read {shown}: {str(error.orig).splitlines()[0]}") from error
    return engine


def _sqlite(parts: URL) -> Engine:
    if not parts.database or parts.host or not Path(parts.database).is_file():
        raise SyncFatalError(f"there is no database {parts.database or ''}".rstrip())
    return open_sqlite(Path(parts.database), write=False)


def _postgresql(parts: URL, shown: str) -> Engine:
    if not parts.drivername.startswith("postgresql"):
        raise SyncFatalError(f"database {shown} is not supported; {ALLOWED}")
    try:
        return create_engine(
            parts.set(drivername="postgresql+psycopg"),
            isolation_level="REPEATABLE READ",  # one look at a box is one moment
            connect_args={"options": "-c default_transaction_read_only=on", "connect_timeout": 10},
        )
    except ModuleNotFoundError:
        raise SyncFatalError("PostgreSQL needs the extra: pip install 'hedgerow[postgresql]'") from None


def _check(engine: Engine, shown: str) -> None:
    with engine.connect() as connection:
        tables = inspect(connection)
        if not tables.has_table("received"):
            raise SyncFatalError(f"{shown} was not made by hedgerow ingest")
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version != HEAD:
        raise SyncFatalError(
            f"{shown} is at schema {version}, and this version reads {HEAD}; start hedgerow ingest once"
        )
