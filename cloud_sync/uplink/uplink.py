"""The uplink: keeps one connection to the broker, and empties the outbox through it."""

import threading
import time
from collections.abc import Callable
from uuid import uuid4

import structlog

from cloud_sync.mqtt import SESSION_TAKEN_OVER, Backoff, Closed, Connection, ConnectOptions, Opened, Outgoing, Wake
from cloud_sync.outbox import Outbox
from cloud_sync.uplink.announcer import Announcer
from cloud_sync.uplink.budget import Budget
from cloud_sync.uplink.contact import Contact, Permit
from cloud_sync.uplink.lasting import Lasting
from cloud_sync.uplink.session import Session
from cloud_sync.uplink.settings import UplinkSettings
from cloud_sync.uplink.status import LinkState, LinkStatus
from cloud_sync.uplink.streams import begin_stream, note_run
from cloud_sync.wire import BirthMessage, Box, HealthMessage

log = structlog.get_logger()

STEP_S = 0.5
"""Longest wait: the stop event and the heartbeat are looked at this often."""
FLUSH_S = 1.0
CONFIRM_S = 0.4
GOODBYE_S = 0.4
"""At a clean stop: to hand over what waits, to hear that the cloud has it, and to say that we go."""
ASLEEP_S = 10.0
"""To say that we sleep: nobody waits for it, and what is on its way comes first."""
MAX_INCOMING_BYTES = 256 * 1024
"""Nothing that a box is sent is larger."""
PERMIT_S = 0.2
"""Windows are looked up this often: cron expressions take their time, and a drain has hundreds of steps a second."""
PACKET_TOO_LARGE = 0x95


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
            box: Who we are. The client id is ``hedgerow-{site}-{device}-`` and eight digits that name this run.
            outbox: What is to be sent.
            boot: Counter of this boot.
            birth: Makes the birth message, at each connection.
            health: Makes the health message, every ``health_every_s``.
            utc_ms: The wall clock, for messages, windows and days.
            monotonic_s: For all durations.
        """
        self._settings = settings
        self._address = settings.broker.address
        self._outbox = outbox
        self._stream = outbox.stream
        self._utc_ms = utc_ms
        self._now_s = monotonic_s
        instance = uuid4().hex
        self._announcer = Announcer(box, boot, instance, outbox, birth, health, utc_ms)
        self._client_id = f"hedgerow-{box.site}-{box.device}-{instance[:8]}"
        self._wake = Wake()
        self._news = threading.Event()
        self._budget = Budget(outbox, daily_bytes=settings.daily_bytes, utc_ms=utc_ms)
        self._contact = Contact(
            outbox, self._budget, utc_ms=utc_ms, opens_at=settings.opens_at, alarms_wake=settings.alarms_wake
        )
        self._last = Lasting.new(settings, outbox, self._budget, on_settled=self._wake.set)
        self._backoff = Backoff(first_s=settings.retry_first_s, most_s=settings.retry_most_s)
        self._connects = 0
        self._session: Session | None = None
        self._detail = ""
        self._refused = False
        self._noted = False  # that this run is online, in the database
        self._permit = Permit(())
        self._permit_until_s = 0.0
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
            self._sleep(stop, beat)
            if stop.is_set():
                break
            self._refused = False
            started_s = self._now_s()
            confirmations = self._last.confirmations
            closed = self._connect_once(stop, beat)
            if stop.is_set() or self._permit.asleep:
                continue
            worked = self._last.confirmations > confirmations and closed.code != SESSION_TAKEN_OVER
            if worked or self._now_s() - started_s > self._settings.healthy_after_s:
                self._backoff.reset()
            self._say_why(closed.detail)
            state = LinkState.REFUSED if self._refused else LinkState.OFFLINE
            self._pause(state, self._backoff.delay_s(), stop, beat)
        self._status = self._status_now(LinkState.OFFLINE)

    def _sleep(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Wait until there is something to be online for."""
        self._permit = self._contact.permit(self._now_s(), online=False)
        if not self._permit.asleep:
            return
        log.info("link_asleep", next_contact_ms=self._permit.next_contact_ms, reason=self._permit.detail or "windows")
        while self._permit.asleep and not stop.is_set():
            self._detail = self._permit.detail
            self._pause(LinkState.ASLEEP, STEP_S, stop, beat)
            self._permit = self._contact.permit(self._now_s(), online=False)

    def _connect_once(self, stop: threading.Event, beat: Callable[[], None]) -> Closed:
        """Open one connection and use it until it ends, until the box is to sleep, or until ``stop``."""
        options = ConnectOptions(
            client_id=self._client_id,
            will=self._announcer.state_message("offline"),
            receive_maximum=16,
            max_packet_bytes=MAX_INCOMING_BYTES,
        )
        connection = Connection(self._settings.broker, options, self._wake, utc_s=lambda: self._utc_ms() / 1000)
        self._budget.new_connection()
        connection.open()
        goodbye = False
        try:
            while not stop.is_set():
                beat()
                closed = self._round(connection, min(STEP_S, self._last.settler.wait_s(self._now_s())))
                if closed is not None:
                    goodbye = self._refused = self._session is not None and self._session.refused
                    self._learn_from(closed)
                    return closed
                if self._permit.asleep:
                    goodbye = self._say_asleep(connection, beat)
                    return Closed("asleep", None)
            goodbye = self._say_goodbye(connection)
            return Closed("stopped", None)
        finally:
            self._last.settler.step(self._now_s(), hurry=True)
            self._budget.note(connection.traffic)
            self._budget.step(self._now_s(), flush=True)
            connection.close(goodbye=goodbye)
            session, self._session = self._session, None
            if session is not None and session.remint and not stop.is_set():
                self._last.forget()
                begin_stream(self._outbox, self._last.settler, session.remint, stop, beat)

    def _round(self, connection: Connection, timeout_s: float) -> Closed | None:
        """Wait for something to happen, and do what follows from it; return the end, if it came."""
        events = connection.poll(timeout_s)
        self._budget.note(connection.traffic)
        for event in events:
            if isinstance(event, Closed):
                return event
            if isinstance(event, Opened):
                self._session = self._begin(connection, event)
            elif self._session is not None:
                self._session.handle(event, self._now_s())
        return self._step()

    def _begin(self, connection: Connection, opened: Opened) -> Session:
        if self._outbox.stream != self._stream:  # it may have begun long after it was asked for
            self._stream = self._outbox.stream
            self._last.forget()
        self._noted = self._noted or note_run(self._outbox, self._announcer.instance[:8])
        return Session(
            connection,
            opened,
            settings=self._settings,
            announcer=self._announcer,
            outbox=self._outbox,
            lasting=self._last,
            now_s=self._now_s(),
        )

    def _step(self) -> Closed | None:
        now_s = self._now_s()
        self._last.settler.step(now_s)
        self._budget.step(now_s)
        session = self._session
        if session is None:
            self._status = self._status_now(LinkState.CONNECTING)
            return None
        held = session.holds_name
        if now_s >= self._permit_until_s:
            self._permit = self._contact.permit(now_s, online=held)
            self._permit_until_s = now_s + PERMIT_S
        news = self._news.is_set()
        self._news.clear()
        session.step(now_s, self._permit, news=news)
        if session.holds_name and not held:
            self._connects += 1
            self._detail = ""
            failures = self._backoff.failures
            log.info("link_online", broker=str(self._address), connects=self._connects, failures=failures)
        self._status = self._status_now(LinkState.ONLINE if session.holds_name else LinkState.CONNECTING)
        return Closed(session.failure, None) if session.failure else None

    def _learn_from(self, closed: Closed) -> None:
        """A broker that tells no limit and has one says so only once it was passed: the next packets are smaller."""
        if closed.code == PACKET_TOO_LARGE and self._session is not None:
            self._last.max_packet_bytes = max(1024, self._session.largest_handed() - 1)

    def _say_goodbye(self, connection: Connection) -> bool:
        """Hand over what can be, then the state; return whether the broker has it. If not, the will says the same."""
        session = self._session
        if session is None:
            return False
        if not session.holds_name:
            return True  # the name may be another one's: nothing is said in it
        if self._step() is not None or not self._wait(connection, session.all_delivered, FLUSH_S):
            return False
        if self._settings.confirm == "cloud":  # it mostly answers at once, and then nothing is left to send again
            self._wait(connection, lambda: session.in_flight == 0, CONFIRM_S)
        return self._say_last(connection, session, self._announcer.state_message("offline"), GOODBYE_S)

    def _say_asleep(self, connection: Connection, beat: Callable[[], None]) -> bool:
        session = self._session
        if session is None or not session.holds_name:
            return True
        message = self._announcer.state_message("asleep", next_contact_ms=self._permit.next_contact_ms)
        return self._say_last(connection, session, message, ASLEEP_S, beat)

    def _say_last(
        self,
        connection: Connection,
        session: Session,
        message: Outgoing,
        timeout_s: float,
        beat: Callable[[], None] = lambda: None,
    ) -> bool:
        return session.say_last(message, self._now_s()) and self._wait(
            connection, session.all_delivered, timeout_s, beat
        )

    def _wait(
        self,
        connection: Connection,
        done: Callable[[], bool],
        timeout_s: float,
        beat: Callable[[], None] = lambda: None,
    ) -> bool:
        until_s = self._now_s() + timeout_s
        while not done():
            beat()
            left_s = until_s - self._now_s()
            if left_s <= 0 or self._round(connection, min(left_s, STEP_S)) is not None:
                return False
        return True

    def _pause(self, state: LinkState, duration_s: float, stop: threading.Event, beat: Callable[[], None]) -> None:
        until_s = self._now_s() + duration_s
        while not stop.is_set() and self._now_s() < until_s:
            beat()
            self._last.settler.step(self._now_s())
            self._budget.step(self._now_s())
            self._status = self._status_now(state)
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
            sent_messages=self._last.sent_messages,
            sent_bytes=self._last.sent_bytes,
            in_flight=self._session.in_flight if self._session is not None else 0,
            confirmed_through=self._last.settler.settled_through,
            quarantined=self._last.settler.quarantined,
            today_bytes=self._budget.today.total_bytes,
            daily_bytes=self._settings.daily_bytes,
            next_contact_ms=self._permit.next_contact_ms if state is LinkState.ASLEEP else None,
        )

    def _complaints(self) -> str:
        complaints = [*self._last.complaints.values()]
        if not complaints and self._last.pace.silences:
            complaints = ["the cloud does not answer"]
        return "; ".join([*complaints, *filter(None, [self._permit.detail])])
