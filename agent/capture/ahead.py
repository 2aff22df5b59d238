"""Reading ahead: the next item is made while the last one is used."""

import queue
import threading
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

_LOOK_S = 0.1


class _End:
    """What comes after the last item: how the making of them ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(items: Generator[T], *, most: int = 1) -> Generator[T]:
    """Yield the same items, made by a thread of their own that is ``most`` ahead; it waits when nobody takes them.

    What the items raise is raised here, after the items before it. Closing this ends the thread, which closes them.

    Args:
        items: A generator that nobody else uses.
        most: Items that wait at most, one more being in the making; at least 1.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(most)
    stop = threading.Event()
    thread = threading.Thread(target=_make, args=(items, waiting, stop), name="read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


def _make(items: Generator[T], waiting: "queue.Queue[T | _End]", stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            if not _put(item, waiting, stop):
                break
    except BaseException as raised:  # noqa: BLE001  whatever it is, it is the taker's
        error = raised
    finally:
        items.close()
    _put(_End(error), waiting, stop)


def _put(item: "T | _End", waiting: "queue.Queue[T | _End]", stop: threading.Event) -> bool:
    """Wait until there is room; False where nobody takes any more."""
    while not stop.is_set():
        try:
            waiting.put(item, timeout=_LOOK_S)
        except queue.Full:
            continue
        return True
    return False
