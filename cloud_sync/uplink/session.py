"""One connection of the uplink, from CONNACK to its end."""

from collections import deque
from collections.abc import Sequence

import structlog

from cloud_sync.mqtt import Arrived, Connection, Delivered, Event, Opened, Outgoing, Subscribed
from cloud_sync.outbox import Outbox
from cloud_sync.uplink.acks import AckReader
from cloud_sync.uplink.announcer import Announcer
from cloud_sync.uplink.answers import Answers
from cloud_sync.uplink.claim import Claim, Standing
from cloud_sync.uplink.contact import ONLY_ALARMS, Permit
from cloud_sync.uplink.feed import Feed
from cloud_sync.uplink.flights import Flight, Flights
from cloud_sync.uplink.lasting import Lasting
from cloud_sync.uplink.parcel import Parcel, UnsendableError, pack
from cloud_sync.uplink.settings import UplinkSettings
from cloud_sync.wire import Channel, StateMessage, WireError, decode

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
"""The outbox is looked at this often even if nobody says that there is news."""


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
        lasting: Lasting,
        now_s: float,
    ) -> None:
        """Subscribe to the own acks and the own state, and ask whether the name is free."""
        self.failure = ""
        self.remint = ""  # why the cloud wants a new stream
        self._connection = connection
        self._settings = settings
        self._announcer = announcer
        self._stream = outbox.stream
        self._last = lasting
        self._max_packet_bytes = min(opened.max_packet_bytes, lasting.max_packet_bytes)
        window = min(settings.window, opened.receive_maximum)
        self._flights = Flights(lasting.pace, window=window, window_bytes=lasting.window_bytes)
        self._feed = Feed(outbox, join_bytes=settings.join_bytes, last_seq=outbox.last_seq())
        self._acks = AckReader(self._stream)
        self._answers = Answers(announcer.box, self._flights, self._feed, lasting, confirm=settings.confirm)
        self._announcements: deque[tuple[Channel, Outgoing]] = deque()  # bounded: each kind at most once
        self._permit = Permit(ONLY_ALARMS)
        self._born = self._leaving = False
        self._health_due_s = self._look_due_s = self._delivered_at_s = now_s
        lasting.complaints.clear()
        lasting.parking.new_connection()
        lasting.window_bytes.new_link()
        self._claim = Claim(announcer.instance, answer_s=settings.claim_answer_s, now_s=now_s)
        self._acks_mid = connection.subscribe(announcer.box.topic(Channel.ACK))
        connection.subscribe(announcer.box.topic(Channel.STATE))
        self._announcements.append((Channel.STATE, announcer.claim_message()))

    @property
    def in_flight(self) -> int:
        """Return how many messages with rows are sent and not confirmed."""
        return self._flights.unconfirmed

    @property
    def holds_name(self) -> bool:
        """Tell whether this box is online for all to see."""
        return self._claim.standing is Standing.HOLDS

    @property
    def refused(self) -> bool:
        """Tell whether another box is online under the same name."""
        return self._claim.standing is Standing.REFUSED

    def handle(self, event: Event, now_s: float) -> None:
        """Take note of what happened on the connection."""
        match event:
            case Delivered():
                self._delivered_at_s = now_s
                self._answers.of_broker(event, now_s)
            case Arrived(topic=topic) if topic == self._announcer.box.topic(Channel.ACK):
                self._on_ack(event)
            case Arrived(topic=topic) if topic == self._announcer.box.topic(Channel.STATE):
                self._on_state(event, now_s)
            case Subscribed(mid=mid, refused=refused) if refused and mid == self._acks_mid:
                self.failure = f"the broker does not let this box subscribe to its acks: {', '.join(refused)}"
            case Subscribed(refused=refused) if refused:
                log.warning("twins_go_unnoticed", reason="no subscription to the own state", refused=refused)
            case _:
                pass

    def step(self, now_s: float, permit: Permit, *, news: bool) -> None:
        """Send what is due, is permitted and fits; ``news`` says that entries may have been added."""
        self._permit = permit
        if self._outdated():
            self.failure = "the outbox has begun a new stream"
            return
        if news or now_s >= self._look_due_s:
            self._feed.news()
            self._look_due_s = now_s + LOOK_EVERY_S
        self._look_for_silence(now_s)
        if self._leaving:
            return  # our own last words come back to us: they are not to be contradicted
        self._look_at_claim(now_s)
        with self._connection.together():
            while self._announcements and self._flights.has_room_for_alarm():
                self._hand_over(*self._announcements.popleft(), now_s)
            if self.holds_name:
                self._send(now_s)

    def say_last(self, message: Outgoing, now_s: float) -> bool:
        """Send the last message of a clean end, if there is room for it; return whether."""
        if not self._flights.has_room_for_alarm():
            return False
        self._leaving = True
        self._hand_over(Channel.STATE, message, now_s)
        return True

    def all_delivered(self) -> bool:
        """Tell whether the broker has all that was sent."""
        return self._flights.handed == 0

    def largest_handed(self) -> int:
        """Return the size of the largest packet that the broker has not acknowledged."""
        return self._flights.largest_handed()

    def _outdated(self) -> bool:
        """Tell whether the entries have other numbers by now: then nothing may be sent or settled by the old ones."""
        return self._announcer.outbox.stream != self._stream

    def _look_at_claim(self, now_s: float) -> None:
        standing = self._claim.look(now_s)
        if standing is Standing.REFUSED:
            box = self._announcer.box
            self.failure = (
                f"another box is online as {box.site}/{box.device} (run {self._claim.twin[:8]}): "
                "give each box a site and device name of its own"
            )
        elif standing is Standing.ASKING and self._claim.must_answer:
            self._announce(Channel.STATE, self._announcer.claim_message())
        elif standing is Standing.HOLDS:
            self._introduce(now_s)
        self._claim.must_answer = False

    def _introduce(self, now_s: float) -> None:
        """Say who is here: once, and again where somebody asks or says otherwise."""
        everything = Channel.EVENT in self._permit.channels  # not for an alarm alone, in the night or beyond the budget
        if not self._born and everything:
            self._announce(Channel.BIRTH, self._announcer.birth_message())
        if (not self._born and everything) or self._claim.must_answer or not self._claim.told:
            self._announce(Channel.STATE, self._announcer.state_message("online"))
            self._claim.told = True
        self._born |= everything
        if Channel.HEALTH in self._permit.channels and now_s >= self._health_due_s:
            self._health_due_s = now_s + self._settings.health_every_s
            expiry_s = max(1, round(3 * self._settings.health_every_s))
            self._announce(Channel.HEALTH, self._announcer.health_message(expiry_s=expiry_s))

    def _announce(self, channel: Channel, message: Outgoing) -> None:
        if all(waiting is not channel for waiting, _ in self._announcements):
            self._announcements.append((channel, message))

    def _send(self, now_s: float) -> None:
        while self._last.settler.takes_more():
            entries = self._feed.take(self._channels_now(now_s))
            if not entries:
                return
            try:
                parcel = pack(self._announcer.box, self._stream, entries, max_packet_bytes=self._max_packet_bytes)
            except UnsendableError as error:
                if len(entries) > 1:
                    self._feed.split(entries)
                else:
                    self._last.settler.quarantine(entries[0].seq, str(error))
                continue
            self._feed.went(parcel.size_bytes)
            self._last.budget.sent_data(parcel.size_bytes)
            self._last.parking.sent(parcel.channel)
            self._hand_over(parcel.channel, parcel.message, now_s, parcel)

    def _channels_now(self, now_s: float) -> Sequence[Channel]:
        if not self._flights.has_room_for_alarm() or not self._flights.may_send_urgent():
            return ()
        everything = self._flights.has_room() and self._flights.may_send_data()
        affordable = self._last.budget.channels(self._flights.handed_bytes) if everything else ONLY_ALARMS
        permitted = self._permit.channels
        if affordable is not permitted:
            permitted = tuple(channel for channel in permitted if channel in affordable)
        return self._last.parking.open(permitted, now_s)

    def _hand_over(self, channel: Channel, message: Outgoing, now_s: float, parcel: Parcel | None = None) -> None:
        mid = self._connection.publish(message)
        if parcel is None:
            flight = Flight(channel, 0, 0, message.packet_bytes(), now_s)
        else:
            flight = Flight(channel, parcel.first, parcel.last, parcel.size_bytes, now_s)
            self._last.sent.add(parcel.first, parcel.last)
        self._flights.add(mid, flight)
        self._last.sent_messages += 1
        self._last.sent_bytes += len(message.encoded.payload)

    def _look_for_silence(self, now_s: float) -> None:
        late = self._flights.overdue(now_s)
        if late and self._last.pace.silences == 1:
            log.warning("cloud_silent", messages=len(late))
        for flight in late:
            self._feed.again(flight.channel, flight.first, flight.last)
        oldest_s = self._flights.oldest_handed_s()
        silent_since_s = max(self._delivered_at_s, oldest_s) if oldest_s is not None else now_s
        if now_s - silent_since_s > self._settings.puback_timeout_s:
            self.failure = "the broker has stopped to acknowledge messages"

    def _on_state(self, event: Arrived, now_s: float) -> None:
        try:
            state = decode(Channel.STATE, event.payload, event.encoding)
        except WireError:
            return  # an empty one that clears what is retained, or somebody's mistake: nothing that decides a name
        assert isinstance(state, StateMessage)
        twin = self._claim.twin
        self._claim.heard(state, retained=event.retain, now_s=now_s)
        if self.holds_name and self._claim.twin != twin:
            log.warning("twin_turned_away", run=self._claim.twin[:8], stream=state.stream)

    def _on_ack(self, event: Arrived) -> None:
        ack = self._acks.read(event, newest_seq=self._announcer.outbox.last_seq())
        if ack is None or self._settings.confirm != "cloud" or self._outdated():
            return
        if ack.remint is not None:
            self.remint = ack.remint or "no reason given"
            self.failure = f"the cloud asks for a new stream: {self.remint}"
            return
        self._answers.of_cloud(ack)
