"""What the outbox asks of the box's one writer."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class BusyError(Exception):
    """The writer takes no more work now; the same call may succeed later."""


class WriteQueue(Protocol):
    """The one writer of the box's database."""

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Run ``work`` in a write transaction soon; the future ends after the commit, or with the error.

        Raises:
            BusyError: The queue is full or closed; nothing was queued.
        """
        ...
