"""A box whose clock a test drives: a real database with the real writer, recording what a test makes up."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from agent.clock import ManualClock
from agent.store import Limits, Shedder, Writer, give_back, open_store, record_event, record_rollups
from agent.types import Event, MeasureRollup, Rollup
from cloud_sync.outbox import Depth, Entry, Outbox, append_evidence, read_depth
from cloud_sync.wire import DATA_CHANNELS

ROOMY = Limits(entries=10**9, size_bytes=10**12, disk_free_bytes=0)


class OfflineBox:
    """Everything that a box keeps, without cameras and without a link."""

    def __init__(self, folder: Path, utc_s: int, limits: Limits = ROOMY) -> None:
        self.clock = ManualClock(utc_ns=utc_s * 10**9)
        self.store = open_store(folder, self.clock.now())
        self.writer = Writer(self.store.write)
        self._pending: list[Future[Any]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.writer.run, args=(self._stop, lambda: None), daemon=True)
        self._thread.start()
        self.outbox = Outbox(self.store.read, self.writer, utc_ms=lambda: self.clock.now().utc_ns // 10**6)
        self.disk_free: int | None = 10**12
        self.bound(limits)

    def bound(self, limits: Limits) -> None:
        """Set the limits, as a restart with another configuration does."""
        self.shedder = Shedder(
            self.store.read, self.writer, limits, now=self.clock.now, disk_free=lambda: self.disk_free
        )

    def written(self) -> None:
        """Wait until all that was put is committed."""
        for future in self._pending:
            future.result(60)
        self._pending.clear()

    def _write(self, work: Callable[[Connection], Any]) -> None:
        if len(self._pending) >= 500:
            self.written()
        self._pending.append(self.writer.submit(work))

    def shed(self) -> int:
        self.written()
        return self.shedder.shed(for_s=3600)

    def give_back(self) -> None:
        while self.writer.submit(give_back).result(60):
            pass

    def put(self, parts: Sequence[Rollup | MeasureRollup]) -> None:
        now = self.clock.now()
        self._write(lambda connection: record_rollups(connection, parts, now=now, send=True))

    def event(self, kind: str, *, alarm: bool = False) -> None:
        event = Event(kind, "north", self.clock.now(), {}, alarm=alarm)
        self._write(lambda connection: record_event(connection, event, send=True))

    def evidence(self, jpeg: bytes) -> None:
        fields = {"kind": "k", "camera": "north", "at_ms": 1, "width": 1, "height": 1, "data": {}}
        at_ns = self.clock.now().utc_ns
        self._write(lambda connection: append_evidence(connection, fields, jpeg, boot=1, created_utc_ns=at_ns))

    def waiting(self) -> list[Entry]:
        self.written()
        return self.outbox.read(DATA_CHANNELS, after_seq=0, limit=10**7)

    def depth(self) -> Depth:
        self.written()
        with self.store.read.connect() as connection:
            return read_depth(connection)

    def close(self) -> None:
        self._stop.set()
        self.writer.submit(lambda _connection: None)  # so that it notices
        self._thread.join(10)
        self.store.close()
