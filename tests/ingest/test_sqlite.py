"""Several workers and one SQLite file."""

import sqlite3
import threading
from pathlib import Path

import pytest

from cloud_sync.sqlite import open_sqlite


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_who_opens_a_new_file_waits_for_who_makes_it(tmp_path: Path, lock: str):
    """A file that another worker just writes to is turned to WAL when that is done. SQLite by itself fails at once."""
    path = tmp_path / "cloud.db"
    with sqlite3.connect(path, isolation_level=None, check_same_thread=False) as other:
        other.execute("CREATE TABLE made (x)")
        other.execute(lock)
        threading.Timer(0.3, other.execute, ["COMMIT"]).start()
        engine = open_sqlite(path, write=True)
        with engine.begin() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM made").scalar() == 0
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        engine.dispose()


def test_what_is_not_a_lock_is_told_at_once(tmp_path: Path):
    """A file that is no database is not tried again."""
    (tmp_path / "x.db").write_bytes(b"no database at all, however long one waits" * 40)
    with pytest.raises(Exception, match="not a database"), open_sqlite(tmp_path / "x.db", write=True).connect():
        pass
