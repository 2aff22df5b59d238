"""The one writer of the box's database: a thread that commits queued work in groups."""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from agent.errors import RetryableError
from cloud_sync.outbox import BusyError

T = TypeVar("T")
log = structlog.get_logger()


class QueueFullError(RetryableError, BusyError):
    """Too many writes are waiting; nothing was queued."""


@dataclass(frozen=True, slots=True)
class _Item:
    work: Callable[[Connection], Any]
    future: "Future[Any]"


class Writer:
    """Runs functions of a connection, one after the other, in shared transactions (group commit).

    Each function has a savepoint of its own: what one does wrong is undone and told to its caller alone.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        capacity: int = 1024,
        group: int = 256,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare the queue; ``run`` does the work.

        Args:
            engine: For writing (``cloud_sync.sqlite.open_sqlite(path, write=True)``).
            capacity: Functions that may wait; one more is refused.
            group: Functions committed together at most.
            on_commit: Called on the writer's thread after each commit that succeeded; must be quick.
        """
        self._engine = engine
        self._queue: queue.Queue[_Item] = queue.Queue(capacity)
        self._group = group
        self._on_commit = on_commit
        self._failures = 0  # commits in a row

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Queue a function; its future ends after the commit with what it returned, or with its error.

        Raises:
            QueueFullError: The queue is full; nothing was queued.
        """
        future: Future[T] = Future()
        try:
            self._queue.put_nowait(_Item(work, future))
        except queue.Full:
            raise QueueFullError(
                f"the database does not keep up: {self._queue.maxsize} writes are waiting; trying again later"
            ) from None
        return future

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Commit what comes until ``stop``, then what is still queued."""
        while True:
            beat()
            batch = self._next_batch(timeout_s=0.0 if stop.is_set() else 0.5)
            if batch:
                self._commit(batch)
            elif stop.is_set():
                return

    def _next_batch(self, *, timeout_s: float) -> list[_Item]:
        try:
            batch = [self._queue.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        while len(batch) < self._group:
            try:
                batch.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return batch

    def _commit(self, batch: list[_Item]) -> None:
        started = time.monotonic()
        try:
            with self._engine.begin() as connection:
                outcomes = [_attempt(connection, item) for item in batch]
        except SQLAlchemyError as error:
            _fail(batch, error)
            self._note_failure(error, len(batch), time.monotonic() - started)
            return
        except BaseException as error:
            _fail(batch, error)
            raise
        self._note_success()
        self._on_commit()
        for item, result, problem in outcomes:
            if problem is None:
                item.future.set_result(result)
            else:
                item.future.set_exception(problem)

    def _note_failure(self, error: SQLAlchemyError, waiting: int, seconds: float) -> None:
        """Say the first of a row: callers that try again would fill the log of a disk that is full already."""
        self._failures += 1
        if self._failures == 1:
            log.error("commit_failed", waiting=waiting, seconds=round(seconds, 1), error=reason_of(error))

    def _note_success(self) -> None:
        if self._failures:
            log.info("commits_again", failures=self._failures)
        self._failures = 0


def reason_of(error: BaseException) -> str:
    """Return what the database said, in one line: SQLAlchemy adds the statement and the address of a manual."""
    return str(error.orig if isinstance(error, DBAPIError) else error)


def _attempt(connection: Connection, item: _Item) -> tuple[_Item, Any, BaseException | None]:
    savepoint = connection.begin_nested()
    try:
        result = item.work(connection)
    except Exception as error:  # noqa: BLE001  whatever it is, it is the caller's: the future carries it there
        savepoint.rollback()
        return item, None, error
    savepoint.commit()
    return item, result, None


def _fail(batch: list[_Item], error: BaseException) -> None:
    for item in batch:
        item.future.set_exception(error)
