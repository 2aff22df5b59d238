"""Either end as a process of its own, for tests that kill it.

They are forked from a server that has imported everything, so that a start takes milliseconds and hundreds of kills
take a minute. Each child tells through a pipe when it is ready.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, text
from sqlalchemy.engine.default import DefaultDialect

from agent.clock import SystemClock
from agent.store import Writer, open_store
from agent.store.records import record_event, record_rollups
from agent.types import Event, Instant, MeasureRollup, Rollup
from cloud_sync.ingest import IngestSettings, run_ingest
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.outbox import Outbox
from cloud_sync.uplink import Uplink, UplinkSettings
from tests.faults.ends import BOX, birth_message, fast_settings, health_message, utc_ms
from tests.faults.records import keep_journal

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])

START_S = 1_700_000_000

Moment = Literal["before", "during", "after"]


class Child:
    """A process that runs a function until it is killed."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        """Start it; the function gets the arguments, and one more that it calls when it is ready."""
        self._pipe, other = _CONTEXT.Pipe(duplex=False)
        self.process = _CONTEXT.Process(target=_run, args=(work, other, *arguments), daemon=True)
        self.process.start()
        other.close()

    def wait_ready(self) -> "Child":
        assert self._pipe.poll(20), "it is not ready"
        self._pipe.recv()  # EOFError: it ended before
        return self

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        self.process.kill()
        self.process.join(10)
        self._pipe.close()


def _run(work: Callable[..., None], pipe: Pipe, *arguments: Any) -> None:
    work(*arguments, lambda: pipe.send("ready"))


def run_agent(data_dir: Path, url: str, pause_s: float, on_ready: Callable[[], None]) -> None:
    """Be an agent without cameras: store, writer and uplink. It commits a step every ``pause_s``, 0: nothing."""
    clock = SystemClock()
    store = open_store(data_dir, clock.now())
    with store.write.begin() as connection:
        keep_journal(connection)
    writer = Writer(store.write, on_commit=lambda: uplink.notify())  # noqa: PLW0108  made below
    outbox = Outbox(store.read, writer, utc_ms=utc_ms)
    uplink = Uplink(
        _agent_settings(url),
        BOX,
        outbox,
        boot=store.boot,
        birth=lambda: birth_message(outbox.stream),
        health=health_message,
        utc_ms=utc_ms,
    )
    never = threading.Event()
    for run in (writer.run, uplink.run):
        threading.Thread(target=run, args=(never, lambda: None), daemon=True).start()
    number = writer.submit(_next_step).result(10)
    on_ready()
    while pause_s:
        now = SystemClock(store.boot).now()
        writer.submit(lambda connection, number=number, now=now: _commit_step(connection, number, now)).result(10)
        number += 1
        time.sleep(pause_s)
    never.wait()


def _agent_settings(url: str) -> UplinkSettings:
    return fast_settings(url, join_bytes=600, ack_timeout_s=0.5, retry_first_s=0.05, retry_most_s=0.2)


def _next_step(connection: Connection) -> int:
    """Return a number that no step had before: each step made an entry of windows, or two."""
    return int(connection.execute(text("SELECT count(*) FROM journal WHERE channel = 'rollup'")).scalar_one())


def _commit_step(connection: Connection, number: int, now: Instant) -> None:
    """Store two windows, and a part that adds to an earlier one, with events now and then: all of it or nothing."""
    parts: list[Rollup | MeasureRollup] = [_part(number, now), _part(number // 2, now)]
    parts.append(
        MeasureRollup("north", "gate", "apple", "crossed_in", START_S + 60 * number, 60, now.boot, 1, 1.0, 1.0, 1.0)
    )
    record_rollups(connection, parts, now=now, send=True)
    if number % 3 == 0:
        event = Event("step", "north", now, {"number": number}, alarm=number % 2 == 0)
        record_event(connection, event, send=True)


def _part(number: int, now: Instant) -> Rollup:
    return Rollup("north", "*", "apple", START_S + 60 * number, 60, now.boot, 0, 1000, 5, number % 7, 4, 2, 3.5)


def run_worker(
    url: str, database: str, client_id: str, dies: tuple[Moment, int] | None, on_ready: Callable[[], None]
) -> None:
    """Be an ingest worker; ``dies`` says at which moment of its n-th commit it kills itself."""

    def ready() -> None:
        if dies is not None:
            _die_at_commit(*dies)
        on_ready()

    settings = IngestSettings(
        BrokerSettings(url), database, client_id, batch_messages=5, retry_first_s=0.05, retry_most_s=0.2
    )
    run_ingest(settings, threading.Event(), utc_ms=utc_ms, on_ready=ready)


def _die_at_commit(moment: Moment, number: int) -> None:
    """Have this process killed before, during or after its ``number``-th commit."""
    commit = DefaultDialect.do_commit
    left = [number]

    def deadly(dialect: DefaultDialect, connection: Any) -> None:
        left[0] -= 1
        if left[0] > 0:
            commit(dialect, connection)
            return
        if moment == "during":
            threading.Thread(target=_die_in, args=(0.0003,)).start()
        if moment != "before":
            commit(dialect, connection)
        if moment != "during":
            _die_in(0.0)

    DefaultDialect.do_commit = deadly  # type: ignore[method-assign]


def _die_in(delay_s: float) -> None:
    time.sleep(delay_s)
    os.kill(os.getpid(), signal.SIGKILL)
