"""SQLite as both ends use it: WAL, durable commits, explicit transactions."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event

WRITING = (
    "auto_vacuum=INCREMENTAL",  # only takes effect on a new file, and only before WAL
    "journal_mode=WAL",
    "synchronous=FULL",
    "journal_size_limit=16777216",  # a log that grew in one large transaction is cut down again
)

_BUSY_S = 10  # how long one waits for another to finish
_LOOK_S = 0.02


def open_sqlite(path: Path, *, write: bool) -> Engine:
    """Return an engine for a database file.

    A writing engine takes the write lock at BEGIN, so that two writers wait for each other instead of failing half way;
    a reading one refuses to change anything. ``synchronous=FULL``: what is committed survives a power cut.
    """
    engine = create_engine(f"sqlite:///{path}" if write or not _is_sealed(path) else _sealed(path))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin or commit on its own; "begin" below does
        for setting in (f"busy_timeout={_BUSY_S * 1000}", *(WRITING if write else ("query_only=ON",))):
            _set(connection, setting)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _set(connection: sqlite3.Connection, setting: str) -> None:
    """Change a setting, waiting for others here: SQLite refuses to wait where two turn one new file to WAL at once.

    Source: sqlite.org/c3ref/busy_handler.html, on deadlocks.
    """
    deadline_s = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute(f"PRAGMA {setting}").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def _is_sealed(path: Path) -> bool:
    """Tell whether nobody writes and this process may not: SQLite wants to make its log even to read, and cannot."""
    has_log = path.with_name(f"{path.name}-wal").exists()
    return path.exists() and not has_log and not os.access(path.parent, os.W_OK)


def _sealed(path: Path) -> str:
    return f"sqlite:///file:{quote(str(path.absolute()))}?immutable=1&uri=true"
