"""Whether the other end still lives. Pure: times are passed in."""

from enum import Enum
from math import inf

ANSWER_MOST_S = 10.0
"""A ping is answered within another keepalive, and within this."""


class Beat(Enum):
    """What is to be done."""

    FINE = "fine"
    PING = "ping"
    DEAD = "dead"


class Pulse:
    """Notices a peer that is frozen or gone within keepalive and answer time, and none that is only far away.

    paho counts from when it last heard something. On a slow link a ping waits behind what was handed over before,
    and so does its answer: a broker that takes a large message for half a minute looked dead, was left, and was sent
    the same message again, for ever. Here time runs only while nothing of ours moves.
    """

    def __init__(self, now_s: float, *, greeting_s: float) -> None:
        """Start at the moment the connection was made.

        Args:
            now_s: Monotonic.
            greeting_s: The first word of all comes within this, counted from when our bytes last moved.
        """
        self._greeting_s = greeting_s
        self._keepalive_s: float | None = None
        self._heard_s = self._moved_s = now_s
        self._acked_bytes = 0
        self._asked_s: float | None = None

    def greeted(self, keepalive_s: float) -> None:
        """The other end has accepted us: after so much silence it is asked; 0 is never."""
        self._keepalive_s = keepalive_s or inf

    def heard(self, now_s: float) -> None:
        """Something came."""
        self._heard_s = now_s
        self._asked_s = None

    def look(self, now_s: float, acked_bytes: int) -> Beat:
        """Tell what is due.

        Args:
            now_s: Monotonic.
            acked_bytes: What the other machine has taken so far; a number that grows is no proof that the program
                there lives, only that the link does.
        """
        if acked_bytes > self._acked_bytes:
            self._acked_bytes = acked_bytes
            self._moved_s = now_s
        if self._keepalive_s is None:
            return Beat.DEAD if now_s - self._moved_s > self._greeting_s else Beat.FINE
        if self._asked_s is not None:
            return (
                Beat.DEAD
                if now_s - max(self._asked_s, self._moved_s) > min(self._keepalive_s, ANSWER_MOST_S)
                else Beat.FINE
            )
        if now_s - self._heard_s < self._keepalive_s:
            return Beat.FINE
        self._asked_s = now_s
        return Beat.PING
