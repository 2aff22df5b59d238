"""A box whose clock a test drives: a real database with the real writer, recording what a test makes up."""

import threading
from collections.abc import Sequence
from pathlib import Path

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
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.writer.run, args=(self._stop, lambda: None))
        self._thread.start()
        self.outbox = Outbox(self.store.read, self.writer, utc_ms=lambda: self.clock.now().utc_ns // 10**6)
        self.disk_free: int | None = 10**12
        self.bound(limits)

    def bound(self, limits: Limits) -> None:
        """Set the limits, as a restart with another configuration does."""
        self.shedder = Shedder(
            self.store.read, self.writer, limits, now=self.clock.now, disk_free=lambda: self.disk_free
        )

    def shed(self) -> int:
        return self.shedder.shed(for_s=3600)

    def give_back(self) -> None:
        while self.writer.submit(give_back).result(60):
            pass

    def put(self, parts: Sequence[Rollup | MeasureRollup], *, send: bool = True) -> None:
        now = self.clock.now()
        self.writer.submit(lambda connection: record_rollups(connection, parts, now=now, send=send)).result(60)

    def event(self, kind: str, *, alarm: bool = False) -> None:
        event = Event(kind, "north", self.clock.now(), {}, alarm=alarm)
        self.writer.submit(lambda connection: record_event(connection, event, send=True)).result(60)

    def evidence(self, jpeg: bytes) -> None:
        fields = {"kind": "k", "camera": "north", "at_ms": 1, "width": 1, "height": 1, "data": {}}
        at_ns = self.clock.now().utc_ns
        self.writer.submit(
            lambda connection: append_evidence(connection, fields, jpeg, boot=1, created_utc_ns=at_ns)
        ).result(60)

    def waiting(self) -> list[Entry]:
        return self.outbox.read(DATA_CHANNELS, after_seq=0, limit=10**7)

    def depth(self) -> Depth:
        with self.store.read.connect() as connection:
            return read_depth(connection)

    def close(self) -> None:
        self._stop.set()
        self.writer.submit(lambda _connection: None)  # so that it notices
        self._thread.join(10)
        self.store.close()
