"""Channels that the broker does not take now: each is tried again by itself, and none holds the others up."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_sync.wire import Channel


@dataclass(slots=True)
class _Parked:
    until_s: float
    delay_s: float
    asked: bool = False


class Parking:
    """Pure: times are passed in. Outlives connections."""

    def __init__(self, *, first_s: float, most_s: float) -> None:
        """Start with none.

        Args:
            first_s: How long a channel rests after the first refusal; doubles with each further one.
            most_s: Up to here.
        """
        self._first_s = first_s
        self._most_s = most_s
        self._parked: dict[Channel, _Parked] = {}

    def refused(self, channel: Channel, now_s: float) -> None:
        """Let a channel rest. What was on its way when it was refused is refused too, and counts once."""
        parked = self._parked.get(channel)
        if parked is None:
            self._parked[channel] = _Parked(now_s + self._first_s, self._first_s)
        elif parked.asked:
            delay_s = min(self._most_s, 2 * parked.delay_s)
            self._parked[channel] = _Parked(now_s + delay_s, delay_s)

    def accepted(self, channel: Channel) -> None:
        """The broker takes it again."""
        self._parked.pop(channel, None)

    def sent(self, channel: Channel) -> None:
        """One message asks; the others wait for its answer."""
        if channel in self._parked:
            self._parked[channel].asked = True

    def allows(self, channel: Channel, now_s: float) -> bool:
        """Tell whether a message of this channel may go."""
        parked = self._parked.get(channel)
        return parked is None or (now_s >= parked.until_s and not parked.asked)

    def open(self, channels: Sequence[Channel], now_s: float) -> Sequence[Channel]:
        """Return those of these channels that may go."""
        if not self._parked:
            return channels
        return [channel for channel in channels if self.allows(channel, now_s)]

    def new_connection(self) -> None:
        """Answers to what was asked on the last one do not come any more."""
        for parked in self._parked.values():
            parked.asked = False
