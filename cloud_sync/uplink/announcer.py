"""What a box says of itself, beside its data: state, birth, health."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cloud_sync.mqtt import Outgoing
from cloud_sync.outbox import Outbox
from cloud_sync.wire import BirthMessage, Box, Channel, HealthMessage, Message, StateMessage, encode


@dataclass(frozen=True, slots=True)
class Announcer:
    """Makes these messages when they are due. ``instance`` names this run of this agent."""

    box: Box
    boot: int
    instance: str
    outbox: Outbox
    birth: Callable[[], BirthMessage]
    health: Callable[[], HealthMessage]
    utc_ms: Callable[[], int]

    def state_message(
        self, state: Literal["online", "offline", "asleep"], *, next_contact_ms: int | None = None
    ) -> Outgoing:
        """Return the retained state. In a will, ``since_ms`` is when the connection began: no one knows its end."""
        message = self._state(state).model_copy(update={"next_contact_ms": next_contact_ms})
        return self._outgoing(Channel.STATE, message, retain=True)

    def claim_message(self) -> Outgoing:
        """Return the question whether another one is online under this name.

        Its state is what is hoped for: whoever does not know the question reads nothing worse in it.
        """
        return self._outgoing(Channel.STATE, self._state("online").model_copy(update={"claiming": True}))

    def birth_message(self) -> Outgoing:
        """Return what this box is and runs, retained."""
        next_seq = self.outbox.last_seq() + 1
        now = {"stream": self.outbox.stream, "next_seq": next_seq, "runs": self.outbox.runs()}
        return self._outgoing(Channel.BIRTH, self.birth().model_copy(update=now), retain=True)

    def health_message(self, *, expiry_s: int) -> Outgoing:
        """Return how the box does; the broker forgets it after ``expiry_s``."""
        return self._outgoing(Channel.HEALTH, self.health(), expiry_s=expiry_s)

    def _state(self, state: Literal["online", "offline", "asleep"]) -> StateMessage:
        stream, since_ms = self.outbox.stream, self.utc_ms()
        return StateMessage(state=state, boot=self.boot, since_ms=since_ms, stream=stream, instance=self.instance)

    def _outgoing(
        self, channel: Channel, message: Message, *, retain: bool = False, expiry_s: int | None = None
    ) -> Outgoing:
        return Outgoing(self.box.topic(channel), encode(message), retain, expiry_s)
