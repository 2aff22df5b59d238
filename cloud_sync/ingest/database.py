"""Opens the cloud's database."""

from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from cloud_sync.errors import SyncFatalError
from cloud_sync.migrate import ForeignDatabaseError, SchemaTooNewError, migrate
from cloud_sync.sqlite import open_sqlite

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0002"


def open_database(url: str) -> Engine:
    """Open the database for writing, and bring it to this version's schema; it is created where it does not exist.

    Raises:
        SyncFatalError: Another kind of database, or one that cannot be opened; the message never shows a password.
    """
    path = _path(url)
    engine = open_sqlite(path, write=True)
    try:
        migrate(engine, MIGRATIONS, head=HEAD, landmark="received")
    except ForeignDatabaseError:
        raise SyncFatalError(f"{path} is the database of a box; give ingest one of its own") from None
    except SchemaTooNewError as error:
        raise SyncFatalError(f"{path}: {error}") from error
    except OperationalError as error:
        raise SyncFatalError(f"cannot open the database {path}: {error.orig}") from error
    except DatabaseError as error:
        raise SyncFatalError(f"{path} is no database, or a damaged one: {error.orig}") from error
    return engine


def _path(url: str) -> Path:
    try:
        parts = make_url(url)
    except ArgumentError:
        raise SyncFatalError("database address cannot be read; allowed: sqlite:///PATH") from None
    if parts.drivername != "sqlite" or parts.host or not parts.database or parts.database == ":memory:":
        shown = parts.render_as_string(hide_password=True)
        raise SyncFatalError(f"database {shown} is not supported; allowed: sqlite:///PATH")
    return Path(parts.database)
