"""One batch, one transaction: repeated where another worker was in the way, split where a message cannot be stored."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest.database import one_line
from cloud_sync.ingest.inbox import Incoming, Refused
from cloud_sync.ingest.store import Acks, store

TRIES = 3
# Serialisation failure, deadlock, and no partition for the row: it was dropped since this transaction looked.
_REPEATED = ("40001", "40P01", "23514")
# A broken check, and a row too large for an index: refused for good only where the constraint or index is named. Else
# no partition is there yet, or the server has run out of transaction ids, and the same row may be taken later.
_REFUSED_IF_NAMED = ("23514", "54000")


class CannotStoreError(Exception):
    """Nothing was stored; the same batch may go through later. The text is the reason."""


def commit(engine: Engine, batch: Sequence[Incoming | Refused], *, now_ms: int) -> Acks:
    """Store a batch durably; return what may be told to the boxes now.

    A message that the database refuses, and only that one, is set aside; its box is told once that is durable.

    Raises:
        CannotStoreError: The database is away, full, locked or read-only. Nothing may be acknowledged.
        SyncFatalError: The database is damaged.
    """
    try:
        return _repeated(engine, batch, now_ms)
    except DBAPIError as error:
        if _refuses(error):
            if len(batch) > 1:
                return _one_by_one(engine, batch, now_ms)
            return commit(engine, [_refused(batch[0], error)], now_ms=now_ms)
        if engine.dialect.name == "sqlite" and not isinstance(error, OperationalError):
            raise SyncFatalError(f"database {engine.url.database} is damaged: {one_line(error)}") from error
        raise CannotStoreError(one_line(error)) from error


def _refuses(error: DBAPIError) -> bool:
    """Tell whether the database will never take these rows, in whatever state it is."""
    diagnosis = getattr(error.orig, "diag", None)  # of PostgreSQL
    if diagnosis is not None and diagnosis.sqlstate in _REFUSED_IF_NAMED:
        return bool(diagnosis.constraint_name)
    return isinstance(error, DataError | IntegrityError)


def _refused(item: Incoming | Refused, error: DBAPIError) -> Refused:
    """Return the message as one to be set aside; the box is not told where even that cannot be stored.

    Raises:
        CannotStoreError: It cannot be set aside either.
    """
    if isinstance(item, Incoming):
        return Refused(item.arrived, f"the database refuses it: {one_line(error)}", item)
    if item.message is None:
        raise CannotStoreError(one_line(error)) from error
    return replace(item, message=None)


def answers(engine: Engine) -> bool:
    """Return whether a database server is there. An SQLite file is no server: only a commit tells how it is."""
    if engine.dialect.name == "sqlite":
        return True
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError:
        return False
    return True


def _repeated(engine: Engine, batch: Sequence[Incoming | Refused], now_ms: int) -> Acks:
    """Store in one transaction. Where a commit was cut the same batch again does no harm."""
    for _ in range(TRIES - 1):
        try:
            return _once(engine, batch, now_ms)
        except DBAPIError as error:
            passes = error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _REPEATED
            if not passes or _refuses(error):
                raise
    return _once(engine, batch, now_ms)


def _once(engine: Engine, batch: Sequence[Incoming | Refused], now_ms: int) -> Acks:
    with engine.begin() as connection:
        return store(connection, batch, now_ms=now_ms)


def _one_by_one(engine: Engine, batch: Sequence[Incoming | Refused], now_ms: int) -> Acks:
    acks: Acks = {}
    for item in batch:
        for box, told in commit(engine, [item], now_ms=now_ms).items():
            acks.setdefault(box, []).extend(told)
    return acks
