"""A slow question that many ask at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Generic, TypeVar

from agent.errors import RetryableError

T = TypeVar("T")

_LOOK_EVERY_S = 0.02


class SharedCall(Generic[T]):
    """Calls a function in one thread of its own; who asks while it runs shares its result.

    A call that hangs, as on a dying disk, holds that one thread and nothing else: everybody is told after a timeout.
    """

    def __init__(self, call: Callable[[], T], name: str) -> None:
        """Prepare to call ``call`` in a thread of that name."""
        self._call = call
        self._thread = ThreadPoolExecutor(1, name)
        self._running: Future[T] | None = None

    async def result(self, stop: Event, *, timeout_s: float) -> T:
        """Return what the function returns, or raise what it raises.

        Raises:
            RetryableError: It took longer than ``timeout_s``, or ``stop`` came first.
        """
        if self._running is None or self._running.done():
            self._running = self._thread.submit(self._call)
        running = self._running
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not running.done():
            if stop.is_set() or asyncio.get_running_loop().time() > deadline:
                raise RetryableError("the box is too busy to answer")
            await asyncio.sleep(_LOOK_EVERY_S)
        return running.result()
