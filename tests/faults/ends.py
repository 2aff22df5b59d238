"""Both ends of the sync as a test drives them: a box with a real outbox and writer, and an ingest worker."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import func, insert, select

from agent.store import Writer
from cloud_sync.ingest import IngestSettings, open_database, open_for_reading, run_ingest
from cloud_sync.ingest import schema as cloud
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.outbox import Outbox, append, append_event, append_evidence, append_rollups
from cloud_sync.outbox.schema import metadata, outbox, stream
from cloud_sync.outbox.schema import quarantine as box_quarantine
from cloud_sync.sqlite import open_sqlite
from cloud_sync.uplink import Uplink, UplinkSettings
from cloud_sync.wire import BirthMessage, Box, Channel, HealthMessage, RollupRow

BOX = Box("orchard", "box-1")


def utc_ms() -> int:
    return time.time_ns() // 1_000_000


def rollup_row(number: int, *, revision: int = 1, unique_tracks: int | None = None) -> RollupRow:
    """A row of its own for each number."""
    return RollupRow(
        camera="north",
        zone="*",
        class_name="apple",
        start=1_700_000_000 + 60 * number,
        length=60,
        revision=revision,
        observed_ms=60_000,
        frames=300,
        unique_tracks=number % 7 if unique_tracks is None else unique_tracks,
        occupancy_mean=0.5,
        occupancy_max=3,
        confidence_mean=0.75,
    )


def birth_message(stream_id: str) -> BirthMessage:
    return BirthMessage(
        stream=stream_id,
        boot=1,
        at_ms=utc_ms(),
        versions={"hedgerow": "0.1.0"},
        model_name="orchard",
        model_sha256="0" * 64,
        backend="openvino",
        classes=("apple",),
        cameras=("north",),
        config_sha256="0" * 64,
    )


def health_message() -> HealthMessage:
    return HealthMessage(
        at_ms=utc_ms(),
        boot=1,
        uptime_s=1,
        load_1m=0.1,
        memory_bytes=1,
        temperature_c=None,
        disk_free_bytes=1,
        disk_total_bytes=2,
        cameras=(),
        outbox_depth=0,
        oldest_unsent_s=None,
    )


def fast_settings(url: str, **changes: Any) -> UplinkSettings:
    """Settings whose timeouts fit a test."""
    values: dict[str, Any] = {
        "broker": BrokerSettings(url),
        "ack_timeout_s": 1.0,
        "ack_timeout_most_s": 2.0,
        "retry_first_s": 0.1,
        "retry_most_s": 0.5,
    }
    return UplinkSettings(**(values | changes))


class BoxEnd:
    """A box: database, writer, outbox, and an uplink while one runs."""

    def __init__(self, path: Path, box: Box = BOX, stream_id: str | None = None) -> None:
        self.box = box
        self.path = path
        self.clock_error_ms = 0  # what the box's wall clock is wrong by
        self._write = open_sqlite(path, write=True)
        metadata.create_all(self._write)
        with self._write.begin() as connection:
            if connection.execute(select(stream.c.id)).first() is None:
                values = {"id": stream_id or uuid4().hex, "next_seq": 1, "created_utc_ns": 0}
                connection.execute(insert(stream).values(values))
        self._read = open_sqlite(path, write=False)
        self._stop_writer = threading.Event()
        self.writer = Writer(self._write, on_commit=self._notify)
        self._writer_thread = _thread(self.writer.run, self._stop_writer)
        self._writer_thread.start()
        self.outbox = Outbox(self._read, self.writer, utc_ms=utc_ms)
        self.uplink: Uplink | None = None
        self._stop_uplink = threading.Event()
        self._uplink_thread: threading.Thread | None = None

    def add_rollups(self, first: int, count: int, *, boot: int = 1) -> "Future[Any]":
        """Commit entries of two rows each, numbered; return the future of the last."""
        future: Future[Any] = Future()
        for number in range(first, first + count):
            rows = [rollup_row(2 * number), rollup_row(2 * number + 1)]
            future = self.writer.submit(
                lambda connection, rows=rows: append_rollups(connection, rows, boot=boot, created_utc_ns=0)
            )
        return future

    def add_event(self, kind: str, *, channel: Channel = Channel.EVENT, **data: Any) -> "Future[int]":
        fields = {"kind": kind, "camera": None, "at_ms": 1, "data": data}
        return self.writer.submit(
            lambda connection: append_event(connection, fields, boot=1, created_utc_ns=0, channel=channel)
        )

    def add_evidence(self, fields: dict[str, Any], jpeg: bytes) -> "Future[int]":
        return self.writer.submit(
            lambda connection: append_evidence(connection, fields, jpeg, boot=1, created_utc_ns=0)
        )

    def add_raw(self, channel: Channel, body: bytes) -> "Future[int]":
        return self.writer.submit(lambda connection: append(connection, channel, body, boot=1, created_utc_ns=0))

    def waiting(self) -> list[int]:
        """Seqs in the outbox."""
        with self._read.connect() as connection:
            return list(connection.execute(select(outbox.c.seq).order_by(outbox.c.seq)).scalars())

    def quarantined(self) -> dict[int, str]:
        with self._read.connect() as connection:
            rows = connection.execute(select(box_quarantine.c.seq, box_quarantine.c.reason)).all()
        return {row.seq: row.reason for row in rows}

    def start_uplink(self, settings: UplinkSettings) -> Uplink:
        self._stop_uplink = threading.Event()
        self.uplink = Uplink(
            settings,
            self.box,
            self.outbox,
            boot=1,
            birth=lambda: birth_message(self.outbox.stream),
            health=health_message,
            utc_ms=lambda: utc_ms() + self.clock_error_ms,
        )
        self._uplink_thread = _thread(self.uplink.run, self._stop_uplink)
        self._uplink_thread.start()
        return self.uplink

    def stop_uplink(self) -> float:
        """End it cleanly; return how long that took."""
        started = time.monotonic()
        self._stop_uplink.set()
        if self.uplink is not None and self._uplink_thread is not None:
            self.uplink.notify()
            self._uplink_thread.join(10)
            assert not self._uplink_thread.is_alive()
            self._uplink_thread = None
        return time.monotonic() - started

    def close(self) -> None:
        self.stop_uplink()
        self._stop_writer.set()
        self.writer.submit(lambda _connection: None)  # so that it notices
        self._writer_thread.join(10)
        self._read.dispose()
        self._write.dispose()

    def _notify(self) -> None:
        if self.uplink is not None:
            self.uplink.notify()


def _thread(run: Callable[..., None], stop: threading.Event) -> threading.Thread:
    """Return a thread that a test which failed need not end."""
    return threading.Thread(target=run, args=(stop, lambda: None), daemon=True)


class CloudEnd:
    """A cloud database, and an ingest worker while one runs."""

    def __init__(self, where: Path | str) -> None:
        """Make the database: an SQLite file, or the one at an address."""
        self.clock_error_ms = 0  # what the workers' wall clock is wrong by
        self.kind = "SQLite" if isinstance(where, Path) else "PostgreSQL"
        self.url = where if isinstance(where, str) else f"sqlite:///{where}"
        open_database(self.url).dispose()
        self.engine = open_for_reading(self.url)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, broker_url: str, **changes: Any) -> None:
        settings = IngestSettings(
            **({"broker": BrokerSettings(broker_url), "database": self.url, "retry_first_s": 0.1} | changes)
        )
        self._stop = threading.Event()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=run_ingest,
            args=(settings, self._stop),
            kwargs={"utc_ms": lambda: utc_ms() + self.clock_error_ms, "on_ready": ready.set},
            daemon=True,
        )
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> float:
        started = time.monotonic()
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
            assert not self._thread.is_alive()
            self._thread = None
        return time.monotonic() - started

    def close(self) -> None:
        self.stop()
        self.engine.dispose()

    def rows(self, table: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(table)).all())

    def count(self, table: Any) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    def rollups(self) -> Counter[RollupRow]:
        """Each row that was stored, and how often: once, or something is wrong."""
        return Counter(
            RollupRow(*(getattr(row, name) for name in RollupRow._fields)) for row in self.rows(cloud.rollup)
        )

    def received(self) -> list[tuple[int, int]]:
        return [(row.first, row.last) for row in self.rows(cloud.received)]


def expected_rollups(count: int) -> Counter[RollupRow]:
    """What ``add_rollups(0, count)`` committed."""
    return Counter(rollup_row(number) for number in range(2 * count))
