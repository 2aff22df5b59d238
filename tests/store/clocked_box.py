"""A box whose machine has a clock that a test sets, and a cloud that takes what it sends; real databases."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from agent.clock import BoxClock, ManualClock
from agent.store import Checkpoint, Recorder, Store, Writer, open_store, record_rollups
from agent.store.schema import event as event_table
from agent.store.schema import measure as measure_table
from agent.store.schema import rollup as rollup_table
from agent.timekeeper import Timekeeper
from agent.types import ANY, ClassCount, Event, Measure, MeasureRollup, Observation, Rollup
from cloud_sync.ingest import open_database
from cloud_sync.ingest import schema as cloud_schema
from cloud_sync.ingest.committing import commit
from cloud_sync.ingest.inbox import read
from cloud_sync.mqtt import Arrived
from cloud_sync.outbox import Outbox
from cloud_sync.uplink.parcel import pack
from cloud_sync.wire import DATA_CHANNELS, Box

BOX = Box("orchard", "box-1")
WINDOW = ("camera", "zone", "class_name")


class ClockedBox:
    """One machine: it is booted, its agent started, killed and stopped, its clock set, its power cut."""

    def __init__(self, folder: Path, *, utc_s: int) -> None:
        self.folder = folder
        self.machine = ManualClock(utc_ns=utc_s * 10**9, monotonic_ns=5 * 10**9)
        self.synchronised = False
        self.boots = 1
        self.cloud = open_database(f"sqlite:///{folder / 'cloud.db'}")
        self.sent: list[Arrived] = []
        self._sent_through = 0
        self.start()

    def start(self) -> None:
        """Start the agent."""
        self.store: Store = open_store(
            self.folder, self.machine.now(), boot_id=f"boot-{self.boots}", synchronised=self.synchronised
        )
        self.clock = BoxClock(
            self.store.stretch, known_ns=self.store.known_ns, raw=self.machine, synchronised=lambda: self.synchronised
        )
        self.writer = Writer(self.store.write)
        self.recorder = Recorder(self.writer, send=True, checkpoint=Checkpoint(self.folder, self.store.read))
        self.keeper = self.new_keeper()
        self.outbox = Outbox(self.store.read, self.writer, utc_ms=self.clock.utc_ms)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.writer.run, args=(self._stop, lambda: None), daemon=True)
        self._thread.start()
        self.keep()
        self.recorder.watch("north", self.clock.now())

    def new_keeper(self) -> Timekeeper:
        return Timekeeper(self.clock, self.store, self.writer, send=True, window_s=60)

    def kill(self) -> None:
        """End the agent at once: what is in memory is gone."""
        self._stop.set()
        self._thread.join(10)
        self.store.close()

    def stop(self) -> None:
        """End the agent in order."""
        self.recorder.finish(self.clock.now())
        self.kill()

    def boot(self, *, utc_s: int) -> None:
        """Boot the machine, whose agent has ended; its clock says what it likes."""
        self.boots += 1
        self.machine = ManualClock(utc_ns=utc_s * 10**9, monotonic_ns=5 * 10**9)
        self.synchronised = False
        self.start()

    def close(self) -> None:
        self.kill()
        self.cloud.dispose()

    def keep(self) -> None:
        """Let the timekeeper do all that is due."""
        for _ in range(1000):
            self.keeper.look()
            running = self.keeper._running
            if running is None:
                return
            running.exception(30)
        raise AssertionError("it does not come to an end")

    def settled(self) -> None:
        """Wait until all that was handed to the writer is committed."""
        for _ in range(3):
            self.recorder.tick(self.clock.now())
            self.writer.submit(lambda _connection: None).result(30)

    def watch(self, seconds: int, *, keep: bool = True) -> None:
        """A frame a second with one apple, new in each tenth; one reading a frame."""
        for second in range(seconds):
            self.machine.advance(1)
            now = self.clock.now()
            fresh = int(second % 10 == 0)
            counts = tuple(ClassCount(ANY, name, fresh, 1, 0.5) for name in (ANY, "apple"))
            self.recorder.observe(Observation("north", now, 10**9, counts, (Measure(ANY, ANY, "exg", 0.25),)))
            self.recorder.tick(now)
            if keep:
                self.keep()

    def record(self, parts: Sequence[Rollup | MeasureRollup]) -> None:
        """Store parts of windows as they are."""
        now = self.clock.now()
        self.writer.submit(lambda connection: record_rollups(connection, parts, now=now, send=True)).result(30)

    def event(self, kind: str, *, alarm: bool = False) -> None:
        self.recorder.event(Event(kind, "north", self.clock.now(), {}, alarm=alarm))

    def send(self, *, shuffled: Callable[[list[Arrived]], list[Arrived]] = list, again: bool = False) -> None:
        """Send what was not sent yet to the cloud; nothing leaves the outbox. ``again``: all of it once more."""
        entries = self.outbox.read(DATA_CHANNELS, after_seq=self._sent_through, limit=10**6)
        fresh = []
        for entry in entries:
            parcel = pack(BOX, self.outbox.stream, [entry], max_packet_bytes=10**6)
            encoded = parcel.message.encoded
            fresh.append(Arrived(1, 1, parcel.message.topic, encoded.payload, False, encoded.encoding))
            self._sent_through = entry.seq
        self.sent += fresh
        for message in shuffled(self.sent if again else fresh):
            commit(self.cloud, [read(message)], now_ms=1_790_000_000_000)

    def rollups(self) -> dict[tuple[Any, ...], tuple[int, int, int]]:
        """What the box has, by key: revision, frames, unique."""
        c = rollup_table.c
        key = (*(c[name] for name in WINDOW), c.window_start_s, c.window_s)
        query = select(*key, c.revision, c.frames, c.unique_tracks)
        with self.store.read.connect() as connection:
            return {tuple(row[:5]): tuple(row[5:]) for row in connection.execute(query)}

    def cloud_rollups(self) -> dict[tuple[Any, ...], tuple[int, int, int]]:
        c = cloud_schema.rollup.c
        query = select(*(c[name] for name in WINDOW), c.start, c.length, c.revision, c.frames, c.unique_tracks)
        with self.cloud.connect() as connection:
            return {tuple(row[:5]): tuple(row[5:]) for row in connection.execute(query)}

    def measures(self) -> dict[int, int]:
        """Readings by start of window."""
        c = measure_table.c
        with self.store.read.connect() as connection:
            return dict(map(tuple, connection.execute(select(c.window_start_s, c.readings))))

    def cloud_measures(self) -> dict[int, int]:
        c = cloud_schema.measure.c
        with self.cloud.connect() as connection:
            return dict(map(tuple, connection.execute(select(c.start, c.readings))))

    def events(self) -> list[tuple[str, int]]:
        c = event_table.c
        with self.store.read.connect() as connection:
            return sorted((kind, at // 10**6) for kind, at in connection.execute(select(c.kind, c.utc_ns)))

    def cloud_events(self) -> list[tuple[str, int]]:
        c = cloud_schema.event.c
        with self.cloud.connect() as connection:
            return sorted((kind, at) for kind, at in connection.execute(select(c.kind, c.at_ms)))

    def clocks(self) -> list[tuple[int, str]]:
        """What the cloud was told of clocks: boot and state."""
        c = cloud_schema.clock.c
        with self.cloud.connect() as connection:
            return sorted((boot, state) for boot, state in connection.execute(select(c.boot, c.state)))
