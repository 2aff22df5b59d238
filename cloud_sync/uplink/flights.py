"""What was sent and is not yet confirmed. Pure bookkeeping: times are passed in."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_sync.wire import Channel


class Pace:
    """How much may wait for the cloud, and for how long.

    Starts small, grows with every confirmation, and falls to one message when the cloud is silent: a site whose ingest
    is away for weeks is asked with one message now and then, and one answer opens the way again. Where the broker says
    that nobody listens, that is soon: an ingest that restarts is back in seconds. Outlives connections.
    """

    def __init__(self, *, most: int, timeout_s: float, timeout_most_s: float, nobody_timeout_s: float = 5.0) -> None:
        """Start carefully.

        Args:
            most: Messages that may wait for the cloud at the same time.
            timeout_s: How long one waits before it is sent again; doubles with each silence.
            timeout_most_s: Up to here.
            nobody_timeout_s: The same after the broker said that nobody listens, where that is sooner.
        """
        self.most = most
        self._first_timeout_s = timeout_s
        self._timeout_most_s = timeout_most_s
        self._nobody_timeout_s = nobody_timeout_s
        self._nobody = False
        self.allowance = min(16, most)
        self.timeout_s = timeout_s
        self.silences = 0  # in a row

    def confirmed(self, messages: int) -> None:
        """The cloud has answered for so many messages."""
        if messages:
            self.allowance = min(self.most, self.allowance + messages)
            self.timeout_s = self._first_timeout_s
            self.silences = 0
            self._nobody = False

    def nobody(self) -> None:
        """Nobody listens at the broker. Said again before any confirmation, it shortens nothing."""
        self.allowance = 1
        if not self._nobody:
            self._nobody = True
            self.timeout_s = min(self.timeout_s, self._nobody_timeout_s)

    def silence(self) -> None:
        """The cloud has not answered in time."""
        self.silences += 1
        self.allowance = 1
        self.timeout_s = min(self._timeout_most_s, self.timeout_s * 2)


@dataclass(slots=True)
class Flight:
    """One message on its way. ``first`` and ``last`` are its seqs; both 0 if it is not from the outbox."""

    channel: Channel
    first: int
    last: int
    size_bytes: int
    handed_at_s: float
    delivered_at_s: float = 0.0  # PUBACK
    confirmed: bool = False  # answered for, by whoever has to: also where the cloud refuses it

    @property
    def awaits_cloud(self) -> bool:
        """Tell whether somebody must still answer for rows of the outbox."""
        return self.first > 0 and not self.confirmed


ALARM_PLACE_FROM = 4
"""A window of so many messages keeps one place for an alarm; smaller ones need all they have."""


class ByteWindow:
    """How many bytes may be on their way to the broker: enough to fill the link, and few enough not to queue in it.

    What lies in buffers cannot be overtaken: an alarm waits behind it. So the window grows while PUBACKs come soon,
    and shrinks when they take longer than the link itself needs. Outlives connections.
    """

    TARGET_S = 1.5
    """Longest that bytes should queue, beyond the time that one message takes on the idle link."""

    def __init__(self, *, least: int, most: int) -> None:
        """Start with the least: nothing is known of the link yet.

        Args:
            least: Never fewer bytes than these; two messages, or the link idles while one is acknowledged.
            most: Never more.
        """
        self._least = least
        self._most = most
        self._base_s = float("inf")
        self.size_bytes = least

    def delivered(self, size_bytes: int, took_s: float) -> None:
        """Take note of a message that had its PUBACK after so long."""
        self._base_s = min(self._base_s, took_s)
        queued_s = took_s - self._base_s
        if queued_s > self.TARGET_S:
            self.size_bytes = max(self._least, self.size_bytes - size_bytes)
        elif queued_s < self.TARGET_S / 2:
            self.size_bytes = min(self._most, self.size_bytes + size_bytes)

    def new_link(self) -> None:
        """Forget how long the link needs: it may be another one now, and begin as one that is not known."""
        self._base_s = float("inf")
        self.size_bytes = self._least


class Flights:
    """The messages of one connection: packet ids mean nothing beyond it."""

    def __init__(self, pace: Pace, *, window: int, window_bytes: ByteWindow) -> None:
        """Start with none.

        Args:
            pace: Limits what waits for the cloud.
            window: Messages without PUBACK.
            window_bytes: Their bytes; one message may exceed it alone.
        """
        self._pace = pace
        self._window = window
        self._window_bytes = window_bytes
        self._handed: dict[int, Flight] = {}
        self._handed_bytes = 0
        self._delivered: dict[int, Flight] = {}  # wait for the cloud, by first seq, oldest PUBACK first
        self._awaiting = 0  # of those handed over, how many await the cloud

    def has_room(self) -> bool:
        """Tell whether the broker may be handed one more message of any kind."""
        places = self._window - (self._window >= ALARM_PLACE_FROM)
        return len(self._handed) < places and self._handed_bytes < self._window_bytes.size_bytes

    def has_room_for_alarm(self) -> bool:
        """Tell the same for what may not wait for bytes that are on their way."""
        return len(self._handed) < self._window

    def may_send_data(self) -> bool:
        """Tell whether one more message may wait for the cloud."""
        return self.unconfirmed < self._pace.allowance

    def may_send_urgent(self) -> bool:
        """Tell the same for an alarm: a silent cloud does not hold it back, others may listen."""
        return self.unconfirmed < self._pace.most

    @property
    def unconfirmed(self) -> int:
        """Return how many messages with rows of the outbox are not confirmed."""
        return len(self._delivered) + self._awaiting

    @property
    def handed(self) -> int:
        """Return how many messages have no PUBACK."""
        return len(self._handed)

    @property
    def handed_bytes(self) -> int:
        """Return the size of these."""
        return self._handed_bytes

    def oldest_handed_s(self) -> float | None:
        """Return when the oldest message without PUBACK was handed over."""
        return next((flight.handed_at_s for flight in self._handed.values()), None)

    def largest_handed(self) -> int:
        """Return the size of the largest message without PUBACK."""
        return max((flight.size_bytes for flight in self._handed.values()), default=0)

    def add(self, mid: int, flight: Flight) -> None:
        """Remember a message that was handed to the broker."""
        self._handed[mid] = flight
        self._handed_bytes += flight.size_bytes
        self._awaiting += flight.awaits_cloud

    def delivered(self, mid: int, now_s: float, *, good: bool = True) -> Flight | None:
        """Take note of a PUBACK; return its message. Where it is not ``good`` nobody will answer for it."""
        flight = self._handed.pop(mid, None)
        if flight is None:
            return None
        self._handed_bytes -= flight.size_bytes
        self._window_bytes.delivered(flight.size_bytes, now_s - flight.handed_at_s)
        if flight.awaits_cloud:
            self._awaiting -= 1
            if good:
                flight.delivered_at_s = now_s
                self._delivered[flight.first] = flight
        return flight

    def confirm(self, through: int, ranges: Sequence[tuple[int, int]]) -> None:
        """Take note that rows are safe: all up to ``through``, and ``ranges``, both ends included."""
        covered = [(1, through), *ranges] if through else ranges
        before = self.unconfirmed
        for flight in (*self._handed.values(), *self._delivered.values()):
            # Mostly there is one range, sometimes a few dozen. A cloud's answer may come before the PUBACK.
            if flight.awaits_cloud and any(first <= flight.first and flight.last <= last for first, last in covered):
                self._answered(flight)
        self._pace.confirmed(before - self.unconfirmed)

    def refuse(self, first: int, last: int) -> Flight | None:
        """Take note that the cloud will never take one message, and return it; None if no such one waits for it.

        It is an answer like any other: a cloud that refuses is not silent.
        """
        for flight in (*self._handed.values(), *self._delivered.values()):
            if flight.awaits_cloud and (flight.first, flight.last) == (first, last):
                self._answered(flight)
                self._pace.confirmed(1)
                return flight
        return None

    def confirm_one(self, flight: Flight) -> None:
        """Take note that the broker's word is enough for a message whose PUBACK has come."""
        flight.confirmed = True
        if self._delivered.pop(flight.first, None) is not None:
            self._pace.confirmed(1)

    def forget(self, flight: Flight) -> None:
        """Wait no longer for a message whose PUBACK has come: it is to be sent again by another rule."""
        self._delivered.pop(flight.first, None)

    def _answered(self, flight: Flight) -> None:
        flight.confirmed = True
        if self._delivered.pop(flight.first, None) is None:
            self._awaiting -= 1

    def overdue(self, now_s: float) -> list[Flight]:
        """Forget and return the messages that the cloud has not answered in time: they are to be sent again."""
        since_s = now_s - self._pace.timeout_s
        late = []
        for flight in self._delivered.values():
            if flight.delivered_at_s > since_s:
                break
            late.append(flight)
        for flight in late:
            del self._delivered[flight.first]
        if late:
            self._pace.silence()
        return late
