"""Gives pages that the database does not need any more back to the file system, a few at a time."""

from sqlalchemy import Connection, Engine

KEPT_PAGES = 1024
"""So many stay for what comes next: pages that go back and forth are work for nothing."""
PAGES_AT_ONCE = 256


def free_bytes(read: Engine) -> int:
    """Return what is free inside the database."""
    with read.connect() as connection:
        return _pragma(connection, "freelist_count") * _pragma(connection, "page_size")


def give_back(connection: Connection) -> int:
    """Give up to ``PAGES_AT_ONCE`` pages back, in a write transaction; return how many, 0 when enough are."""
    free = _pragma(connection, "freelist_count")
    pages = min(PAGES_AT_ONCE, max(0, free - KEPT_PAGES))
    for _ in range(pages):
        # Asked for more, SQLite frees one page a step, and the driver takes a single step of what returns no rows.
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return free - _pragma(connection, "freelist_count")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
