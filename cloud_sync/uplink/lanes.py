"""Who goes next where several wait: by urgency, and each with a share that nobody above can take. Pure bookkeeping."""

from collections.abc import Sequence
from enum import StrEnum

from cloud_sync.wire import Channel


class Lane(StrEnum):
    """Where entries queue; most urgent first. Rollups have two, so that the cloud sees now beside an old backlog."""

    ALARM = "alarm"
    CLOCK = "clock"
    EVENT = "event"
    SHED = "shed"
    FRESH = "fresh"
    BACKLOG = "backlog"
    EVIDENCE = "evidence"


CHANNEL_OF_LANE = {lane: Channel.ROLLUP if lane in (Lane.FRESH, Lane.BACKLOG) else Channel(lane.value) for lane in Lane}
SHARES = {Lane.SHED: 0.05, Lane.FRESH: 0.25, Lane.BACKLOG: 0.25, Lane.EVIDENCE: 0.05}
"""Of the bytes that go out while the lane waits. Alarms wait for nobody, so events have the rest."""
QUANTUM_BYTES = 4096
"""What a lane has saved up before it goes out of turn: about one joined message."""


class Shares:
    """Remembers what each waiting lane has coming to it."""

    def __init__(self) -> None:
        """Owe nothing."""
        self._owed: dict[Lane, float] = dict.fromkeys(SHARES, 0.0)

    def choose(self, waiting: Sequence[Lane]) -> Lane:
        """Return who goes next.

        Args:
            waiting: At least one; most urgent first.
        """
        first = waiting[0]
        if first is Lane.ALARM:
            return first
        most = max(waiting, key=lambda lane: self._owed.get(lane, 0.0))
        return most if self._owed.get(most, 0.0) >= QUANTUM_BYTES else first

    def went(self, lane: Lane, size_bytes: int, waiting: Sequence[Lane]) -> None:
        """Take note that a lane has sent so much while these waited; one that does not wait saves nothing up."""
        for other, share in SHARES.items():
            owed = self._owed[other] + share * size_bytes if other in waiting else 0.0
            self._owed[other] = max(0.0, owed - size_bytes) if other is lane else owed
