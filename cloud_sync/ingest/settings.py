"""What an ingest worker is told."""

from dataclasses import dataclass, field
from pathlib import Path

from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.wire import Box, WireError


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Where from and where to.

    ``client_id``: each worker needs its own; stable where the broker shall keep the session of one that restarts.
    """

    broker: BrokerSettings
    # sqlite:///PATH or postgresql://USER@HOST/DATABASE; kept out of what is printed, for it may hold a password
    database: str = field(repr=False)
    client_id: str = "hedgerow-ingest"
    batch_messages: int = 100  # committed together at most
    batch_s: float = 0.05  # a batch is committed when its first message has waited so long
    # Unacknowledged messages that the broker may send: two batches, one being stored while one travels.
    receive_maximum: int = 200
    # A larger packet the broker keeps from this worker; what one sends all the same is set aside unread. Boxes send
    # 128 KiB at most, so nothing of theirs is lost by it, and a batch in flight is a few hundred MiB at the worst.
    max_packet_bytes: int = 1024 * 1024
    # How long the broker keeps what comes while the worker is away; 0: not at all, the boxes send it again. Safe with
    # any broker is 0: rumqttd 0.20 crashes when a session with unacknowledged messages of a shared subscription ends.
    session_expiry_s: int = 0
    database_password_file: Path | None = None  # its first line; PostgreSQL alone
    site: str | None = None  # only its boxes; None: all. Sites may go to databases of their own
    retry_first_s: float = 1.0
    retry_most_s: float = 10.0  # workers stand beside their broker: no link to spare

    def __post_init__(self) -> None:
        """Refuse what is no site.

        Raises:
            SyncFatalError: The name would break the subscription.
        """
        try:
            Box(self.site or "any", "any")
        except WireError as error:
            raise SyncFatalError(str(error)) from None
