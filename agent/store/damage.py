"""What is done about a database file that SQLite calls damaged."""

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from agent.errors import FatalError
from agent.types import Instant

log = structlog.get_logger()


class DamagedError(Exception):
    """SQLite says that the file is no sound database."""


def is_damage(error: BaseException | None) -> bool:
    """Tell whether an error, of SQLite or SQLAlchemy, says that the file is damaged."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def watch_for_damage(path: Path, *engines: Engine) -> threading.Event:
    """Return an event that is set as soon as any statement of these engines meets damage.

    A note beside the file then has the next start check all of it, also when this one ends cleanly.
    """
    damaged = threading.Event()

    def note(context: ExceptionContext) -> None:
        if is_damage(context.original_exception) and not damaged.is_set():
            damaged.set()
            log.error("database_damaged", error=str(context.original_exception))
            with suppress(OSError):  # a disk that takes nothing any more: the next start will meet the damage again
                _note_beside(path).touch()

    for engine in engines:
        event.listen(engine, "handle_error", note)
    return damaged


def check(path: Path) -> None:
    """Check the file where there is reason to: after an unclean end, which leaves a log behind, or if damage was met.

    Raises:
        DamagedError: It is damaged.
        FatalError: It cannot be opened.
    """
    met_damage = _note_beside(path).exists()
    if not met_damage and not _beside(path, "-wal").exists():
        return
    connection = sqlite3.connect(path)
    try:
        # The quick check passes over indexes, where the damage may be that was met.
        verdict = connection.execute(f"PRAGMA {'integrity' if met_damage else 'quick'}_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise FatalError(f"cannot open database {path}: {error}") from error
        raise DamagedError(str(error)) from error
    finally:
        connection.close()
    if verdict != "ok":
        raise DamagedError(str(verdict))
    with suppress(OSError):
        _note_beside(path).unlink(missing_ok=True)


def move_aside(path: Path, now: Instant) -> Path:
    """Rename the file and its companions, so that what is in them can still be salvaged."""
    aside = path.with_name(f"{path.name}.damaged-{now.utc_ns // 1_000_000_000}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.replace(_beside(path, suffix), _beside(aside, suffix))  # noqa: PTH105  atomic by name
    _note_beside(path).unlink(missing_ok=True)
    return aside


def _note_beside(path: Path) -> Path:
    return _beside(path, "-suspect")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
