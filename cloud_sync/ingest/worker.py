"""An ingest worker: keeps one connection to the broker, and stores what boxes send."""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from cloud_sync.ingest.committing import answers
from cloud_sync.ingest.database import DatabaseAwayError, open_database
from cloud_sync.ingest.session import IngestSession
from cloud_sync.ingest.settings import IngestSettings
from cloud_sync.mqtt import SESSION_TAKEN_OVER, Backoff, Closed, Connection, ConnectOptions, Opened, Wake

log = structlog.get_logger()

STEP_S = 0.25
"""Longest wait: the stop event is looked at this often."""
HEALTHY_AFTER_S = 60.0
"""A connection that stored something, or held so long, starts the backoff anew."""


def run_ingest(
    settings: IngestSettings,
    stop: threading.Event,
    *,
    utc_ms: Callable[[], int],
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Store what boxes send until ``stop``.

    Args:
        settings: Where from and where to.
        stop: Ends it within two seconds; what has arrived is stored first.
        utc_ms: The wall clock, for "last seen".
        on_ready: Called once, when the broker has granted the subscriptions.

    Raises:
        SyncFatalError: The database cannot be opened, or is damaged. A broker or a database server that is away is no
            error: it is tried again.
    """
    engine = _open(settings, stop)
    if engine is None:
        return
    try:
        IngestWorker(settings, engine, utc_ms=utc_ms).run(stop, on_ready)
    finally:
        engine.dispose()


def _open(settings: IngestSettings, stop: threading.Event) -> Engine | None:
    """Open the database as soon as its server answers; None if ``stop`` came first."""
    backoff = Backoff(first_s=settings.retry_first_s, most_s=settings.retry_most_s)
    told = ""
    while not stop.is_set():
        try:
            return open_database(settings.database, settings.database_password_file)
        except DatabaseAwayError as error:
            if str(error) != told:
                told = str(error)
                log.warning("ingest_waits", reason=told)
            stop.wait(backoff.delay_s())
    return None


class IngestWorker:
    """One of any number of workers on the same broker and database."""

    def __init__(
        self,
        settings: IngestSettings,
        engine: Engine,
        *,
        utc_ms: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; ``run`` connects.

        Args:
            settings: Where from.
            engine: For writing, migrated.
            utc_ms: The wall clock, for "last seen".
            monotonic_s: For all durations.
        """
        self._settings = settings
        self._engine = engine
        self._utc_ms = utc_ms
        self._now_s = monotonic_s
        self._wake = Wake()
        self._backoff = Backoff(first_s=settings.retry_first_s, most_s=settings.retry_most_s)
        self._detail = ""
        self._session: IngestSession | None = None
        self._stored = False  # whether the last connection was of any use
        self._cannot_store = False  # the database failed, and has stored nothing since
        self._told_ready = False

    def run(self, stop: threading.Event, on_ready: Callable[[], None] = lambda: None) -> None:
        """Keep connecting and storing until ``stop``.

        Raises:
            SyncFatalError: The database is damaged.
        """
        while not stop.is_set():
            started_s = self._now_s()
            closed = self._connect_once(stop, on_ready)
            if stop.is_set():
                return
            if self._stored or self._now_s() - started_s > HEALTHY_AFTER_S:
                self._backoff.reset()
            if closed.detail != self._detail:
                log.warning("ingest_offline", reason=closed.detail)
                self._detail = closed.detail
            # Without its database a worker takes no messages: the broker has others to give them to.
            while not stop.wait(self._backoff.delay_s()) and self._cannot_store and not answers(self._engine):
                pass

    def _connect_once(self, stop: threading.Event, on_ready: Callable[[], None]) -> Closed:
        options = ConnectOptions(
            client_id=self._settings.client_id,
            clean_start=self._settings.session_expiry_s == 0,
            session_expiry_s=self._settings.session_expiry_s,
            receive_maximum=self._settings.receive_maximum,
            max_packet_bytes=self._settings.max_packet_bytes,
            manual_ack=True,
        )
        connection = Connection(self._settings.broker, options, self._wake)
        connection.open()
        try:
            while not stop.is_set():
                closed = self._round(connection, on_ready)
                if closed is not None:
                    return closed
            if self._session is not None:
                self._session.step(self._now_s(), self._utc_ms(), flush=True)
            return Closed("stopped", None)
        finally:
            connection.close(goodbye=True)
            session, self._session = self._session, None
            self._stored = session is not None and session.stored
            self._cannot_store |= session is not None and session.cannot_store

    def _round(self, connection: Connection, on_ready: Callable[[], None]) -> Closed | None:
        """Wait for something to happen, and do what follows from it; return the end, if it came."""
        session = self._session
        for event in connection.poll(session.wait_s(self._now_s(), STEP_S) if session else STEP_S):
            if isinstance(event, Closed):
                return self._explain(event)
            if isinstance(event, Opened):
                session = self._session = IngestSession(connection, event, self._engine, self._settings)
            elif session is not None:
                session.handle(event, self._now_s())
                self._tell_ready(session, on_ready)
        if session is None:
            return None
        session.step(self._now_s(), self._utc_ms())
        self._tell_storing(session)
        return Closed(session.failure, None) if session.failure else None

    def _tell_ready(self, session: IngestSession, on_ready: Callable[[], None]) -> None:
        if not session.ready:
            return
        session.ready = False
        if not self._cannot_store:
            self._detail = ""
            log.info("ingest_ready", broker=str(self._settings.broker.address), client_id=self._settings.client_id)
        if not self._told_ready:
            self._told_ready = True
            on_ready()

    def _tell_storing(self, session: IngestSession) -> None:
        if self._cannot_store and session.stored:
            self._cannot_store = False
            self._detail = ""
            log.info("ingest_stores_again", database=self._engine.url.render_as_string(hide_password=True))

    def _explain(self, closed: Closed) -> Closed:
        if closed.code != SESSION_TAKEN_OVER:
            return closed
        return Closed(f"{closed.detail}; give each worker a client id of its own", closed.code)
