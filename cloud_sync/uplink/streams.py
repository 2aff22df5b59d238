"""What the database has to know of this run and of its stream before the cloud does. These wait for the writer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError

import structlog
from sqlalchemy.exc import SQLAlchemyError

from cloud_sync.outbox import BusyError, Outbox
from cloud_sync.uplink.settler import Settler

log = structlog.get_logger()

NOTE_S = 5.0
"""The writer mostly answers at once; a connection does not wait for it longer."""
REMINT_S = 60.0
"""A writer that has not made a new stream by then is asked again at the next connection."""


def note_run(outbox: Outbox, run: str) -> bool:
    """Have a run on disk before the cloud hears of it; without that the birth tells of the runs before."""
    try:
        outbox.note_run(run).result(NOTE_S)
    except (BusyError, SQLAlchemyError, FutureTimeoutError) as error:
        log.warning("run_not_noted", error=str(error) or "no answer")
        return False
    return True


def begin_stream(
    outbox: Outbox, settler: Settler, reason: str, stop: threading.Event, beat: Callable[[], None]
) -> None:
    """Begin a new stream, as the cloud asks; where that fails it will ask again.

    Args:
        outbox: Whose entries get new numbers.
        settler: What it writes by old numbers is waited for: it must not meet the new ones.
        reason: Of the cloud.
        stop: Ends the wait.
        beat: Called while it lasts.
    """
    if not _wait(lambda: settler.idle, stop, beat):
        return
    try:
        minted = outbox.remint(reason)
    except BusyError as error:
        log.warning("stream_not_reminted", error=str(error))
        return
    if not _wait(minted.done, stop, beat) or minted.exception() is not None:
        log.warning("stream_not_reminted", error=str(minted.exception()) if minted.done() else "no answer")


def _wait(done: Callable[[], bool], stop: threading.Event, beat: Callable[[], None]) -> bool:
    until_s = time.monotonic() + REMINT_S
    while not done() and not stop.is_set() and time.monotonic() < until_s:
        beat()
        stop.wait(0.02)
    return done()
