"""What is to be sent next: urgent before old, each lane with its share, rollups joined where nothing is lost by it."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from cloud_sync.outbox import Entry, Outbox
from cloud_sync.uplink.lanes import CHANNEL_OF_LANE, Lane, Shares
from cloud_sync.wire import DATA_CHANNELS, Channel

READ_ENTRIES = 100
"""Entries read at once, and joined at most."""
READ_PICTURES = 2
"""The same of evidence, whose entries are large."""
FRESH_ENTRIES = 30
"""So many of the newest seqs count as fresh when a connection begins: half an hour of minutes, or less."""


@dataclass(slots=True)
class _Queue:
    """One lane's entries, and how far it has been read."""

    read_through: int = 0
    entries: deque[Entry] = field(default_factory=deque)
    again: deque[tuple[int, int]] = field(default_factory=deque)  # bounded by what is in flight
    exhausted: bool = False


class Feed:
    """Reads the outbox for one connection: each entry once, and again where it is asked for."""

    def __init__(self, outbox: Outbox, *, join_bytes: int, last_seq: int = 0) -> None:
        """Start at the oldest entry of each lane.

        Args:
            outbox: To read from.
            join_bytes: Bodies of rollup entries joined into one message, together.
            last_seq: The newest seq now: what came long before it is backlog, the rest is fresh.
        """
        self._outbox = outbox
        self._last_seq = last_seq
        self._join_bytes = join_bytes
        self._join_entries = READ_ENTRIES
        self._backlog_through = max(0, last_seq - FRESH_ENTRIES)
        self._queues = {lane: _Queue() for lane in Lane}
        self._queues[Lane.FRESH].read_through = self._backlog_through
        self._awake = list(Lane)  # those in which something may wait
        self._shares = Shares()
        self._taken: tuple[Lane, list[Lane]] | None = None

    def news(self) -> None:
        """Entries may have been added: look again, if there are new ones."""
        last_seq = self._outbox.last_seq()
        if last_seq == self._last_seq:
            return
        self._last_seq = last_seq
        for queue in self._queues.values():
            queue.exhausted = False
        self._awake = list(Lane)

    def again(self, channel: Channel, first: int, last: int) -> None:
        """Send entries once more, those of them that are still there."""
        self._queues[self._lane(channel, first)].again.append((first, last))
        self._awake = list(Lane)

    def take(self, channels: Collection[Channel] = DATA_CHANNELS) -> list[Entry]:
        """Return what goes into the next message: one entry, or several consecutive rollups; empty if nothing waits.

        Args:
            channels: Those that may go.
        """
        asked = [lane for lane in self._awake if CHANNEL_OF_LANE[lane] in channels]
        waiting = [lane for lane in asked if self._queues[lane].entries or self._filled(lane)]
        if len(waiting) < len(asked):
            self._awake = [lane for lane in self._awake if lane in waiting or lane not in asked]
        if not waiting:
            return []
        lane = self._shares.choose(waiting)
        self._taken = lane, waiting
        queue = self._queues[lane].entries
        return self._joinable(queue) if CHANNEL_OF_LANE[lane] is Channel.ROLLUP else [queue.popleft()]

    def split(self, entries: list[Entry]) -> None:
        """Take back several entries that do not go together; fewer of them come next."""
        first = entries[0]
        self._queues[self._lane(first.channel, first.seq)].entries.extendleft(reversed(entries))
        self._awake = list(Lane)
        self._join_entries = max(1, len(entries) // 2)

    def went(self, size_bytes: int) -> None:
        """What was taken last went out, as so many bytes: more of them may be joined again."""
        self._join_entries = min(READ_ENTRIES, self._join_entries * 2)
        if self._taken is not None:
            lane, waiting = self._taken
            self._shares.went(lane, size_bytes, waiting)

    def _lane(self, channel: Channel, seq: int) -> Lane:
        if channel is not Channel.ROLLUP:
            return Lane(channel)
        return Lane.FRESH if seq > self._backlog_through else Lane.BACKLOG

    def _filled(self, lane: Lane) -> bool:
        queue = self._queues[lane]
        while not queue.entries and queue.again:
            first, last = queue.again.popleft()
            entries = self._outbox.read([CHANNEL_OF_LANE[lane]], after_seq=first - 1, limit=last - first + 1)
            queue.entries.extend(entry for entry in entries if entry.seq <= last)
        if not queue.entries and not queue.exhausted:
            queue.entries.extend(self._read(lane, queue.read_through))
            queue.exhausted = not queue.entries
            if queue.entries:
                queue.read_through = queue.entries[-1].seq
        return bool(queue.entries)

    def _read(self, lane: Lane, after_seq: int) -> list[Entry]:
        if lane is Lane.BACKLOG and after_seq >= self._backlog_through:
            return []
        limit = READ_PICTURES if lane is Lane.EVIDENCE else READ_ENTRIES
        entries = self._outbox.read([CHANNEL_OF_LANE[lane]], after_seq=after_seq, limit=limit)
        if lane is Lane.BACKLOG:
            return [entry for entry in entries if entry.seq <= self._backlog_through]
        return entries

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
