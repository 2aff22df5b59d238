"""The box's database as a whole: opened once, by one agent, checked, migrated and closed."""

import fcntl
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import DatabaseError

from agent.clock import Stretch, kernel_boot_id
from agent.errors import FatalError
from agent.store.boots import find_stretch, known_ns
from agent.store.damage import DamagedError, check, is_damage, move_aside, watch_for_damage
from agent.types import Instant
from cloud_sync.migrate import ForeignDatabaseError, SchemaTooNewError, migrate
from cloud_sync.outbox.schema import stream as stream_table
from cloud_sync.sqlite import open_sqlite

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0004"

DATABASE = "hedgerow.db"
LOCK = "hedgerow.lock"


@dataclass(frozen=True, slots=True)
class Store:
    """An open database: ``write`` belongs to the writer alone, everybody else reads through ``read``."""

    path: Path
    write: Engine
    read: Engine
    stretch: Stretch  # of the clock, at the start
    known_ns: int  # UTC, a time that has passed for certain
    boot_id: str  # of the machine
    set_aside: Path | None  # where a damaged database was moved to by this start
    lock: IO[bytes]
    damaged: threading.Event  # set when the file turns out to be damaged while it is open
    opened: os.stat_result  # of the file that is open

    @property
    def boot(self) -> int:
        """Return the number of this boot, and of this setting of its clock, at the start."""
        return self.stretch.boot

    def lost(self) -> str | None:
        """Say why it is no use to go on with this file, None while there is nothing wrong with it."""
        if self.damaged.is_set():
            return f"{self.path} is damaged; the next start sets it aside, and goes on with a new one"
        if not self._is_in_place():
            return f"{self.path} was deleted or replaced; the next start goes on with what is there"
        return None

    def _is_in_place(self) -> bool:
        """Tell whether the file that is open is the one that the next start will find."""
        try:
            return os.path.samestat(self.path.stat(), self.opened)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # who knows

    def size_bytes(self) -> int:
        """Return what the database takes on disk, its write-ahead log included."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Close the files; the lock goes with them."""
        self.read.dispose()
        self.write.dispose()
        self.lock.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()


def open_store(data_dir: Path, now: Instant, *, boot_id: str | None = None, synchronised: bool | None = None) -> Store:
    """Open the database in ``data_dir``, making both where they do not exist.

    A database that SQLite calls damaged is moved aside under a new name and a fresh one (with a new stream) takes its
    place, so that the box goes on; nothing is deleted.

    Args:
        data_dir: Folder of this agent alone.
        now: By the machine's clock.
        boot_id: What names this boot of the machine; by default the kernel's word.
        synchronised: Whether the kernel vouches for that clock.

    Raises:
        FatalError: The folder cannot be written, another agent uses it, or a newer version wrote the database.
    """
    lock = _lock(data_dir)
    path = data_dir / DATABASE
    try:
        return _open(path, now, boot_id or kernel_boot_id(), lock, synchronised=synchronised, set_aside=None)
    except DamagedError as damage:
        aside = move_aside(path, now)
        log.error("database_damaged", error=str(damage), moved_to=str(aside))
        return _open(path, now, boot_id or kernel_boot_id(), lock, synchronised=synchronised, set_aside=aside)
    except BaseException:
        lock.close()
        raise


def _lock(data_dir: Path) -> IO[bytes]:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / LOCK).open("ab")
    except OSError as error:
        raise FatalError(f"cannot write to data directory {data_dir}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise FatalError(f"data directory {data_dir} is in use by another agent; give each its own") from error
    return lock


def is_running(data_dir: Path) -> bool:
    """Tell whether an agent has this folder open."""
    try:
        with (data_dir / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _open(
    path: Path,
    now: Instant,
    boot_id: str,
    lock: IO[bytes],
    *,
    synchronised: bool | None,
    set_aside: Path | None,
) -> Store:
    check(path)
    write = open_sqlite(path, write=True)
    try:
        migrate(write, MIGRATIONS, head=HEAD, landmark="outbox")
        with write.begin() as connection:
            _mint_stream(connection, now)
            stretch = find_stretch(connection, now, boot_id, synchronised=synchronised)
            known = known_ns(connection)
    except ForeignDatabaseError as error:
        write.dispose()
        raise FatalError(f"{path} is the cloud's database, not a box's; choose another data directory") from error
    except SchemaTooNewError as error:
        write.dispose()
        raise FatalError(f"{path}: {error}; install the newer version, or use another data directory") from error
    except DatabaseError as error:
        write.dispose()
        if is_damage(error):
            raise DamagedError(str(error.orig)) from error
        raise FatalError(f"cannot open database {path}: {error.orig}") from error
    read = open_sqlite(path, write=False)
    damaged = watch_for_damage(path, write, read)
    return Store(path, write, read, stretch, known, boot_id, set_aside, lock, damaged, opened=path.stat())


def _mint_stream(connection: Connection, now: Instant) -> None:
    if connection.execute(select(func.count()).select_from(stream_table)).scalar_one() == 0:
        connection.execute(insert(stream_table).values(id=uuid4().hex, next_seq=1, created_utc_ns=now.utc_ns))
