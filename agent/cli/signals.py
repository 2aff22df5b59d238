"""How a program that runs for long is told to end."""

import signal
import threading
from typing import Any


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set; a second one ends the program at once."""
    stop = threading.Event()

    def handle(number: int, _frame: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        signal.signal(number, signal.default_int_handler)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop
