"""What an ingest worker is told."""

from dataclasses import dataclass

from cloud_sync.mqtt import BrokerSettings


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Where from and where to.

    ``client_id`` is stable, so that the broker keeps the session of a worker that restarts; each worker needs its own.
    """

    broker: BrokerSettings
    database: str  # sqlite:///PATH
    client_id: str = "hedgerow-ingest"
    batch_messages: int = 100  # committed together at most
    batch_s: float = 0.05  # a batch is committed when its first message has waited so long
    # Unacknowledged messages that the broker may send: two batches, one being stored while one travels.
    receive_maximum: int = 200
    session_expiry_s: int = 3600
    retry_first_s: float = 1.0
    retry_most_s: float = 60.0
