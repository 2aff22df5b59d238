"""One connection of the uplink, from CONNACK to its end."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from cloud_sync.mqtt import Arrived, Connection, Delivered, Event, Opened, Outgoing, Subscribed
from cloud_sync.outbox import Outbox
from cloud_sync.uplink.announcer import Announcer
from cloud_sync.uplink.feed import Feed
from cloud_sync.uplink.flights import Flight, Flights, Pace
from cloud_sync.uplink.parcel import UnsendableError, pack
from cloud_sync.uplink.settings import UplinkSettings
from cloud_sync.uplink.settler import Settler
from cloud_sync.wire import DATA_CHANNELS, AckMessage, Channel, WireError, decode

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
"""The outbox is looked at this often even if nobody says that there is news."""
NO_SUBSCRIBERS = 0x10
REFUSED = 0x80


@dataclass(slots=True)
class Totals:
    """What outlives a connection."""

    sent_messages: int = 0
    sent_bytes: int = 0
    confirmations: int = 0  # of messages with rows
    newest_seq: int = 0  # no ack can honestly go beyond: sent by us, or there when we started
    complaints: dict[Channel, str] = field(default_factory=dict)  # what the broker said last, where it was bad


class Session:
    """Drives one open connection. It is in order until ``failure`` says why it should be given up."""

    def __init__(
        self,
        connection: Connection,
        opened: Opened,
        *,
        settings: UplinkSettings,
        announcer: Announcer,
        outbox: Outbox,
        settler: Settler,
        pace: Pace,
        totals: Totals,
        now_s: float,
    ) -> None:
        """Subscribe to the own acks, and make birth and state the first messages."""
        self.failure = ""
        self._connection = connection
        self._settings = settings
        self._announcer = announcer
        self._stream = outbox.stream
        self._settler = settler
        self._totals = totals
        self._max_packet_bytes = min(opened.max_packet_bytes, settings.max_packet_bytes)
        window = min(settings.window, opened.receive_maximum)
        self._flights = Flights(pace, window=window, window_bytes=settings.window_bytes)
        self._pace = pace
        self._feed = Feed(outbox, join_bytes=settings.join_bytes)
        self._announcements: deque[tuple[Channel, Outgoing]] = deque()  # bounded: these two, and one health message
        self._announcements.append((Channel.BIRTH, announcer.birth_message()))
        self._announcements.append((Channel.STATE, announcer.state_message("online")))
        self._health_due_s = now_s
        self._look_due_s = now_s
        self._delivered_at_s = now_s
        self._acks_refused: Counter[str] = Counter()
        totals.complaints.clear()
        connection.subscribe(announcer.box.topic(Channel.ACK))

    @property
    def in_flight(self) -> int:
        """Return how many messages with rows are sent and not confirmed."""
        return self._flights.unconfirmed

    def handle(self, event: Event, now_s: float) -> None:
        """Take note of what happened on the connection."""
        match event:
            case Delivered():
                self._on_delivered(event, now_s)
            case Arrived():
                self._on_arrived(event)
            case Subscribed(refused=refused) if refused:
                self.failure = f"the broker does not let this box subscribe to its acks: {', '.join(refused)}"
            case _:
                pass

    def step(self, now_s: float, *, news: bool) -> None:
        """Send what is due and fits; ``news`` says that entries may have been added."""
        if news or now_s >= self._look_due_s:
            self._feed.news()
            self._look_due_s = now_s + LOOK_EVERY_S
        self._look_for_silence(now_s)
        if now_s >= self._health_due_s:
            self._announce_health(now_s)
        self._send(now_s)

    def say_offline(self, now_s: float) -> bool:
        """Send the last message of a clean end, if there is room for it; return whether."""
        if not self._flights.has_room():
            return False
        self._hand_over(Channel.STATE, self._announcer.state_message("offline"), now_s)
        return True

    def all_delivered(self) -> bool:
        """Tell whether the broker has all that was sent."""
        return self._flights.handed == 0

    def _send(self, now_s: float) -> None:
        while self._announcements and self._flights.has_room():
            self._hand_over(*self._announcements.popleft(), now_s)
        while self._flights.has_room() and self._settler.takes_more():
            entries = self._feed.take(self._channels_now())
            if not entries:
                return
            try:
                parcel = pack(self._announcer.box, self._stream, entries, max_packet_bytes=self._max_packet_bytes)
            except UnsendableError as error:
                if len(entries) > 1:
                    self._feed.split(entries)
                else:
                    self._settler.quarantine(entries[0].seq, str(error))
                continue
            self._feed.went()
            self._totals.newest_seq = max(self._totals.newest_seq, parcel.last)
            self._hand_over(parcel.channel, parcel.message, now_s, first=parcel.first, last=parcel.last)

    def _channels_now(self) -> Sequence[Channel]:
        if self._flights.may_send_data():
            return DATA_CHANNELS
        return (Channel.ALARM,) if self._flights.may_send_urgent() else ()

    def _hand_over(self, channel: Channel, message: Outgoing, now_s: float, *, first: int = 0, last: int = 0) -> None:
        mid = self._connection.publish(message)
        self._flights.add(mid, Flight(channel, first, last, message.packet_bytes(), now_s))
        self._totals.sent_messages += 1
        self._totals.sent_bytes += len(message.encoded.payload)

    def _announce_health(self, now_s: float) -> None:
        self._health_due_s = now_s + self._settings.health_every_s
        if all(channel is not Channel.HEALTH for channel, _ in self._announcements):
            expiry_s = max(1, round(3 * self._settings.health_every_s))
            self._announcements.append((Channel.HEALTH, self._announcer.health_message(expiry_s=expiry_s)))

    def _look_for_silence(self, now_s: float) -> None:
        late = self._flights.overdue(now_s)
        if late and self._pace.silences == 1:
            log.warning("cloud_silent", messages=len(late))
        for flight in late:
            self._feed.again(flight.channel, flight.first, flight.last)
        oldest_s = self._flights.oldest_handed_s()
        silent_since_s = max(self._delivered_at_s, oldest_s) if oldest_s is not None else now_s
        if now_s - silent_since_s > self._settings.puback_timeout_s:
            self.failure = "the broker has stopped to acknowledge messages"

    def _on_delivered(self, event: Delivered, now_s: float) -> None:
        self._delivered_at_s = now_s
        flight = self._flights.delivered(event.mid, now_s)
        if flight is None:
            return
        self._note_complaint(flight, event)
        if self._settings.confirm == "broker" and event.code == 0 and flight.first:
            self._confirm(0, [(flight.first, flight.last)])

    def _note_complaint(self, flight: Flight, event: Delivered) -> None:
        nobody = event.code == NO_SUBSCRIBERS and flight.first > 0
        if nobody:
            self._pace.nobody()
        elif event.code < REFUSED:
            self._totals.complaints.pop(flight.channel, None)
            return
        topic = self._announcer.box.topic(flight.channel)
        complaint = f"nobody is subscribed to {topic} yet" if nobody else f"the broker refuses {topic}: {event.text}"
        if self._totals.complaints.get(flight.channel) != complaint:
            log.warning("broker_complains", detail=complaint)
            self._totals.complaints[flight.channel] = complaint

    def _on_arrived(self, event: Arrived) -> None:
        if event.topic != self._announcer.box.topic(Channel.ACK):
            return
        try:
            ack = decode(Channel.ACK, event.payload, event.encoding)
        except WireError as error:
            self._refuse_ack("it is none", error=str(error))
            return
        assert isinstance(ack, AckMessage)
        last = max([ack.through, *(last for _, last in ack.ranges)])
        if ack.stream != self._stream:
            self._refuse_ack("it is for another stream", stream=ack.stream)
        elif last > self._totals.newest_seq:
            # The database is older than what the cloud has of it, as after restoring a backup.
            self._refuse_ack("it covers what was never sent", seq=last, sent=self._totals.newest_seq)
        elif self._settings.confirm == "cloud":
            self._confirm(ack.through, list(ack.ranges))

    def _refuse_ack(self, reason: str, **about: str | int) -> None:
        """Log the first of each kind in a connection; whoever sends wrong acks sends many."""
        self._acks_refused[reason] += 1
        if self._acks_refused[reason] == 1:
            log.warning("ack_refused", reason=reason, **about)

    def _confirm(self, through: int, ranges: list[tuple[int, int]]) -> None:
        before, silences = self._flights.unconfirmed, self._pace.silences
        self._flights.confirm(through, ranges)
        if silences and not self._pace.silences:
            log.info("cloud_answers_again", silences=silences)
        self._totals.confirmations += before - self._flights.unconfirmed
        self._settler.confirm(through, ranges)
