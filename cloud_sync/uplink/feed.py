"""What is to be sent next: most urgent channel first, oldest first, rollups joined where nothing is lost by it."""

from collections import deque
from collections.abc import Sequence

from cloud_sync.outbox import Entry, Outbox
from cloud_sync.wire import DATA_CHANNELS, Channel

READ_ENTRIES = 100
"""Entries read at once, and joined at most."""


class Feed:
    """Reads the outbox for one connection: each entry once, and again where it is asked for."""

    def __init__(self, outbox: Outbox, *, join_bytes: int) -> None:
        """Start at the oldest entry.

        Args:
            outbox: To read from.
            join_bytes: Bodies of rollup entries joined into one message, together.
        """
        self._outbox = outbox
        self._join_bytes = join_bytes
        self._join_entries = READ_ENTRIES
        self._queues: dict[Channel, deque[Entry]] = {channel: deque() for channel in DATA_CHANNELS}
        self._again: dict[Channel, deque[tuple[int, int]]] = {channel: deque() for channel in DATA_CHANNELS}
        self._read_through = dict.fromkeys(DATA_CHANNELS, 0)
        self._exhausted: set[Channel] = set()

    def news(self) -> None:
        """Entries may have been added: look again."""
        self._exhausted.clear()

    def again(self, channel: Channel, first: int, last: int) -> None:
        """Send entries once more, those of them that are still there."""
        self._again[channel].append((first, last))

    def take(self, channels: Sequence[Channel] = DATA_CHANNELS) -> list[Entry]:
        """Return what goes into the next message: one entry, or several consecutive rollups; empty if nothing waits.

        Args:
            channels: Those to look at, most urgent first.
        """
        for channel in channels:
            queue = self._filled(channel)
            if queue:
                return self._joinable(queue) if channel is Channel.ROLLUP else [queue.popleft()]
        return []

    def split(self, entries: list[Entry]) -> None:
        """Take back several entries that do not go together; fewer of them come next."""
        self._queues[entries[0].channel].extendleft(reversed(entries))
        self._join_entries = max(1, len(entries) // 2)

    def went(self) -> None:
        """What was taken last went well: more of them may be joined again."""
        self._join_entries = min(READ_ENTRIES, self._join_entries * 2)

    def _filled(self, channel: Channel) -> deque[Entry]:
        queue = self._queues[channel]
        while not queue and self._again[channel]:
            first, last = self._again[channel].popleft()
            entries = self._outbox.read([channel], after_seq=first - 1, limit=last - first + 1)
            queue.extend(entry for entry in entries if entry.seq <= last)
        if not queue and channel not in self._exhausted:
            queue.extend(self._outbox.read([channel], after_seq=self._read_through[channel], limit=READ_ENTRIES))
            if queue:
                self._read_through[channel] = queue[-1].seq
            else:
                self._exhausted.add(channel)
        return queue

    def _joinable(self, queue: deque[Entry]) -> list[Entry]:
        taken = [queue.popleft()]
        size_bytes = len(taken[0].body)
        while queue and len(taken) < self._join_entries:
            entry = queue[0]
            size_bytes += len(entry.body)
            follows = entry.seq == taken[-1].seq + 1 and entry.boot == taken[0].boot
            if not follows or size_bytes > self._join_bytes:
                break
            taken.append(queue.popleft())
        return taken
