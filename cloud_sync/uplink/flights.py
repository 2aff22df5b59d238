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
    confirmed: bool = False

    @property
    def awaits_cloud(self) -> bool:
        """Tell whether somebody must still answer for rows of the outbox."""
        return self.first > 0 and not self.confirmed


class Flights:
    """The messages of one connection: packet ids mean nothing beyond it."""

    def __init__(self, pace: Pace, *, window: int, window_bytes: int) -> None:
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
        self._delivered: list[Flight] = []  # wait for the cloud, oldest PUBACK first

    def has_room(self) -> bool:
        """Tell whether the broker may be handed one more message of any kind."""
        size_bytes = sum(flight.size_bytes for flight in self._handed.values())
        return len(self._handed) < self._window and size_bytes < self._window_bytes

    def may_send_data(self) -> bool:
        """Tell whether one more message may wait for the cloud."""
        return self.unconfirmed < self._pace.allowance

    def may_send_urgent(self) -> bool:
        """Tell the same for an alarm: a silent cloud does not hold it back, others may listen."""
        return self.unconfirmed < self._pace.most

    @property
    def unconfirmed(self) -> int:
        """Return how many messages with rows of the outbox are not confirmed."""
        return len(self._delivered) + sum(flight.awaits_cloud for flight in self._handed.values())

    @property
    def handed(self) -> int:
        """Return how many messages have no PUBACK."""
        return len(self._handed)

    def oldest_handed_s(self) -> float | None:
        """Return when the oldest message without PUBACK was handed over."""
        return min((flight.handed_at_s for flight in self._handed.values()), default=None)

    def add(self, mid: int, flight: Flight) -> None:
        """Remember a message that was handed to the broker."""
        self._handed[mid] = flight

    def delivered(self, mid: int, now_s: float) -> Flight | None:
        """Take note of a PUBACK; return its message."""
        flight = self._handed.pop(mid, None)
        if flight is not None and flight.awaits_cloud:
            flight.delivered_at_s = now_s
            self._delivered.append(flight)
        return flight

    def confirm(self, through: int, ranges: Sequence[tuple[int, int]]) -> None:
        """Take note that rows are safe: all up to ``through``, and ``ranges``, both ends included."""
        covered = [(1, through), *ranges]
        before = self.unconfirmed
        for flight in (*self._handed.values(), *self._delivered):
            # Mostly there is one range, sometimes a few dozen. A cloud's answer may come before the PUBACK.
            flight.confirmed |= any(first <= flight.first and flight.last <= last for first, last in covered)
        self._delivered = [flight for flight in self._delivered if not flight.confirmed]
        self._pace.confirmed(before - self.unconfirmed)

    def overdue(self, now_s: float) -> list[Flight]:
        """Forget and return the messages that the cloud has not answered in time: they are to be sent again."""
        since_s = now_s - self._pace.timeout_s
        late = [flight for flight in self._delivered if flight.delivered_at_s <= since_s]
        if late:
            self._delivered = [flight for flight in self._delivered if flight.delivered_at_s > since_s]
            self._pace.silence()
        return late
