"""One connection of an ingest worker: store, commit, and only then acknowledge, to the broker and to the box."""

import structlog
from sqlalchemy import Engine

from cloud_sync.ingest.committing import CannotStoreError, commit
from cloud_sync.ingest.inbox import read
from cloud_sync.ingest.ledger import join
from cloud_sync.ingest.settings import IngestSettings
from cloud_sync.mqtt import Arrived, Connection, Delivered, Event, Opened, Outgoing, Subscribed
from cloud_sync.wire import DATA_CHANNELS, AckMessage, Box, Channel, encode, topic_filter

log = structlog.get_logger()

SHARE = "ingest"
SHARED = (*DATA_CHANNELS, Channel.HEALTH)
TO_ALL = (Channel.BIRTH, Channel.STATE)  # retained, which shared subscriptions do not hand on
ACK_WINDOW = 50


class IngestSession:
    """Drives one open connection. It is in order until ``failure`` says why it should be given up."""

    def __init__(self, connection: Connection, opened: Opened, engine: Engine, settings: IngestSettings) -> None:
        """Subscribe: what comes often is shared with the other workers, what the broker retains goes to each."""
        self.failure = ""
        self.ready = False
        self.stored = False  # whether it was of any use
        self.cannot_store = False  # the database is why it failed
        self._connection = connection
        self._engine = engine
        self._settings = settings
        self._batch: list[Arrived] = []
        self._batch_since_s = 0.0
        self._acks: dict[tuple[Box, str], AckMessage] = {}  # by box and stream: bounded by how many boxes there are
        self._ack_window = min(ACK_WINDOW, opened.receive_maximum)
        self._acks_handed: set[int] = set()
        # A group for each channel: rumqttd knows one filter a group, and forgets the others.
        site, group = settings.site or "+", "-".join(filter(None, (SHARE, settings.site)))
        shared = [topic_filter(channel, site=site, share=f"{group}-{channel}") for channel in SHARED]
        connection.subscribe(*(topic_filter(channel, site=site) for channel in TO_ALL), *shared)

    def handle(self, event: Event, now_s: float) -> None:
        """Take note of what happened on the connection."""
        match event:
            case Arrived():
                if not self._batch:
                    self._batch_since_s = now_s
                self._batch.append(event)
            case Delivered():
                self._acks_handed.discard(event.mid)
            case Subscribed(refused=refused) if refused:
                self.failure = f"the broker refuses the subscription: {', '.join(refused)}"
            case Subscribed():
                self.ready = True
            case _:
                pass

    def wait_s(self, now_s: float, most_s: float) -> float:
        """Return how long nothing is due."""
        if not self._batch:
            return most_s
        return min(most_s, max(0.0, self._batch_since_s + self._settings.batch_s - now_s))

    def step(self, now_s: float, now_ms: int, *, flush: bool = False) -> None:
        """Store the batch if it is full, old or to be flushed, and send acks.

        Raises:
            SyncFatalError: The database is damaged.
        """
        full = len(self._batch) >= self._settings.batch_messages
        if self._batch and (full or flush or self.wait_s(now_s, 1.0) == 0):
            self._store(now_ms)
        while self._acks and len(self._acks_handed) < self._ack_window:
            (box, _), ack = next(iter(self._acks.items()))
            del self._acks[box, ack.stream]
            self._acks_handed.add(self._connection.publish(Outgoing(box.topic(Channel.ACK), encode(ack))))

    def _store(self, now_ms: int) -> None:
        try:
            most_bytes = self._settings.max_packet_bytes
            batch = [read(arrived, most_bytes=most_bytes) for arrived in self._batch]
            acks = commit(self._engine, batch, now_ms=now_ms)
        except CannotStoreError as error:
            # Nothing is acknowledged: the broker and the boxes keep it, and other workers may have better luck.
            self.failure = f"the database cannot store now: {error}"
            self.cannot_store = True
            return
        self.stored = True
        for arrived in self._batch:
            self._connection.acknowledge(arrived)
        self._batch.clear()
        for box, box_acks in acks.items():
            for ack in box_acks:
                self._note_ack(box, ack)

    def _note_ack(self, box: Box, ack: AckMessage) -> None:
        """Join an ack with the one that still waits for the same box.

        One that asks for a new stream settles nothing, and stands alone.
        """
        earlier = self._acks.get((box, ack.stream))
        if earlier is not None and ack.remint is None:
            ack = join(earlier, ack)
        self._acks[box, ack.stream] = ack
