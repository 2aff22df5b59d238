"""SQLite as both ends use it: WAL, durable commits, explicit transactions."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event


def open_sqlite(path: Path, *, write: bool) -> Engine:
    """Return an engine for a database file.

    A writing engine takes the write lock at BEGIN, so that two writers wait for each other instead of failing half way;
    a reading one refuses to change anything. ``synchronous=FULL``: what is committed survives a power cut.
    """
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin or commit on its own; "begin" below does
        # auto_vacuum only takes effect on a new file, and only before WAL.
        settings = ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=FULL") if write else ("query_only=ON",)
        for setting in ("busy_timeout=10000", *settings):
            connection.execute(f"PRAGMA {setting}").fetchall()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine
