"""What a box says of itself, beside its data: state, birth, health."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cloud_sync.mqtt import Outgoing
from cloud_sync.wire import BirthMessage, Box, Channel, HealthMessage, Message, StateMessage, encode


@dataclass(frozen=True, slots=True)
class Announcer:
    """Makes these messages when they are due."""

    box: Box
    boot: int
    birth: Callable[[], BirthMessage]
    health: Callable[[], HealthMessage]
    utc_ms: Callable[[], int]

    def state_message(self, state: Literal["online", "offline"]) -> Outgoing:
        """Return the retained state. In a will, ``since_ms`` is when the connection began: no one knows its end."""
        message = StateMessage(state=state, boot=self.boot, since_ms=self.utc_ms())
        return self._outgoing(Channel.STATE, message, retain=True)

    def birth_message(self) -> Outgoing:
        """Return what this box is and runs, retained."""
        return self._outgoing(Channel.BIRTH, self.birth(), retain=True)

    def health_message(self, *, expiry_s: int) -> Outgoing:
        """Return how the box does; the broker forgets it after ``expiry_s``."""
        return self._outgoing(Channel.HEALTH, self.health(), expiry_s=expiry_s)

    def _outgoing(
        self, channel: Channel, message: Message, *, retain: bool = False, expiry_s: int | None = None
    ) -> Outgoing:
        return Outgoing(self.box.topic(channel), encode(message), retain, expiry_s)
