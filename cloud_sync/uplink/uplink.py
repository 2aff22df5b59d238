"""The uplink: keeps one connection to the broker, and empties the outbox through it."""

import threading
import time
from collections.abc import Callable

import structlog

from cloud_sync.mqtt import SESSION_TAKEN_OVER, Backoff, Closed, Connection, ConnectOptions, Opened, Wake
from cloud_sync.outbox import Outbox
from cloud_sync.uplink.announcer import Announcer
from cloud_sync.uplink.flights import Pace
from cloud_sync.uplink.session import Session, Totals
from cloud_sync.uplink.settings import UplinkSettings
from cloud_sync.uplink.settler import Settler
from cloud_sync.uplink.status import LinkState, LinkStatus
from cloud_sync.wire import BirthMessage, Box, HealthMessage

log = structlog.get_logger()

STEP_S = 0.5
"""Longest wait: the stop event and the heartbeat are looked at this often."""
FLUSH_S = 1.0
CONFIRM_S = 0.4
GOODBYE_S = 0.4
"""At a clean stop: to hand over what waits, to hear that the cloud has it, and to say that we go."""
MAX_INCOMING_BYTES = 256 * 1024
"""Nothing that a box is sent is larger."""


class Uplink:
    """One thread runs it; ``notify`` and ``status`` may be called from any."""

    def __init__(
        self,
        settings: UplinkSettings,
        box: Box,
        outbox: Outbox,
        *,
        boot: int,
        birth: Callable[[], BirthMessage],
        health: Callable[[], HealthMessage],
        utc_ms: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is opened before ``run``.

        Args:
            settings: Where to, and how patiently.
            box: Who we are. The client id is ``hedgerow-{site}-{device}``.
            outbox: What is to be sent.
            boot: Counter of this boot.
            birth: Makes the birth message, at each connection.
            health: Makes the health message, every ``health_every_s``.
            utc_ms: The wall clock, for messages only.
            monotonic_s: For all durations.
        """
        self._settings = settings
        self._address = settings.broker.address
        self._outbox = outbox
        self._announcer = Announcer(box, boot, birth, health, utc_ms)
        self._client_id = f"hedgerow-{box.site}-{box.device}"
        self._now_s = monotonic_s
        self._wake = Wake()
        self._news = threading.Event()
        self._settler = Settler(outbox, on_done=self._wake.set)
        self._totals = Totals(newest_seq=outbox.last_seq())
        self._pace = Pace(
            most=settings.unconfirmed, timeout_s=settings.ack_timeout_s, timeout_most_s=settings.ack_timeout_most_s
        )
        self._backoff = Backoff(first_s=settings.retry_first_s, most_s=settings.retry_most_s)
        self._connects = 0
        self._session: Session | None = None
        self._detail = ""
        self._status = self._status_now(LinkState.CONNECTING)

    def notify(self) -> None:
        """Say that entries were committed to the outbox; quick, from any thread."""
        self._news.set()
        self._wake.set()

    def status(self) -> LinkStatus:
        """Return what is known now."""
        return self._status

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Keep connecting and sending until ``stop``; then say goodbye, within two seconds."""
        while not stop.is_set():
            started_s = self._now_s()
            confirmations = self._totals.confirmations
            closed = self._connect_once(stop, beat)
            if stop.is_set():
                break
            worked = self._totals.confirmations > confirmations and closed.code != SESSION_TAKEN_OVER
            if worked or self._now_s() - started_s > self._settings.healthy_after_s:
                self._backoff.reset()
            self._say_why(closed.detail)
            self._pause(self._backoff.delay_s(), stop, beat)
        self._status = self._status_now(LinkState.OFFLINE)

    def _connect_once(self, stop: threading.Event, beat: Callable[[], None]) -> Closed:
        """Open one connection and use it until it ends, or until ``stop``."""
        options = ConnectOptions(
            client_id=self._client_id,
            will=self._announcer.state_message("offline"),
            receive_maximum=16,
            max_packet_bytes=MAX_INCOMING_BYTES,
        )
        connection = Connection(self._settings.broker, options, self._wake)
        connection.open()
        goodbye = False
        try:
            while not stop.is_set():
                beat()
                closed = self._round(connection, STEP_S)
                if closed is not None:
                    return closed
            goodbye = self._say_goodbye(connection)
            return Closed("stopped", None)
        finally:
            connection.close(goodbye=goodbye)
            self._session = None

    def _round(self, connection: Connection, timeout_s: float) -> Closed | None:
        """Wait for something to happen, and do what follows from it; return the end, if it came."""
        for event in connection.poll(timeout_s):
            if isinstance(event, Closed):
                return event
            if isinstance(event, Opened):
                self._session = self._begin(connection, event)
            elif self._session is not None:
                self._session.handle(event, self._now_s())
        return self._step()

    def _begin(self, connection: Connection, opened: Opened) -> Session:
        self._connects += 1
        self._detail = ""
        log.info("link_online", broker=str(self._address), connects=self._connects, failures=self._backoff.failures)
        return Session(
            connection,
            opened,
            settings=self._settings,
            announcer=self._announcer,
            outbox=self._outbox,
            settler=self._settler,
            pace=self._pace,
            totals=self._totals,
            now_s=self._now_s(),
        )

    def _step(self) -> Closed | None:
        now_s = self._now_s()
        self._settler.step(now_s)
        if self._session is None:
            self._status = self._status_now(LinkState.CONNECTING)
            return None
        news = self._news.is_set()
        self._news.clear()
        self._session.step(now_s, news=news)
        self._status = self._status_now(LinkState.ONLINE)
        return Closed(self._session.failure, None) if self._session.failure else None

    def _say_goodbye(self, connection: Connection) -> bool:
        """Hand over what can be, then the state; return whether the broker has it. If not, the will says the same."""
        session = self._session
        if session is None:
            return False
        if self._step() is not None or not self._wait(connection, session.all_delivered, FLUSH_S):
            return False
        if self._settings.confirm == "cloud":  # it mostly answers at once, and then nothing is left to send again
            self._wait(connection, lambda: session.in_flight == 0, CONFIRM_S)
        return session.say_offline(self._now_s()) and self._wait(connection, session.all_delivered, GOODBYE_S)

    def _wait(self, connection: Connection, done: Callable[[], bool], timeout_s: float) -> bool:
        until_s = self._now_s() + timeout_s
        while not done():
            left_s = until_s - self._now_s()
            if left_s <= 0 or self._round(connection, min(left_s, STEP_S)) is not None:
                return False
        return True

    def _pause(self, duration_s: float, stop: threading.Event, beat: Callable[[], None]) -> None:
        until_s = self._now_s() + duration_s
        while not stop.is_set() and self._now_s() < until_s:
            beat()
            self._settler.step(self._now_s())
            self._status = self._status_now(LinkState.OFFLINE)
            stop.wait(max(0.0, min(STEP_S, until_s - self._now_s())))

    def _say_why(self, detail: str) -> None:
        if detail != self._detail:
            log.warning("link_offline", reason=detail, failures=self._backoff.failures)
            self._detail = detail

    def _status_now(self, state: LinkState) -> LinkStatus:
        return LinkStatus(
            state=state,
            detail=self._complaints() if state is LinkState.ONLINE else self._detail,
            broker=str(self._address),
            connects=self._connects,
            sent_messages=self._totals.sent_messages,
            sent_bytes=self._totals.sent_bytes,
            in_flight=self._session.in_flight if self._session is not None else 0,
            confirmed_through=self._settler.settled_through,
            quarantined=self._settler.quarantined,
        )

    def _complaints(self) -> str:
        if not self._totals.complaints and self._pace.silences:
            return "the cloud does not answer"
        return "; ".join(self._totals.complaints.values())
