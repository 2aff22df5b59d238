"""What the cloud says: whether an ack is for us, and can be true."""

from collections import Counter

import structlog

from cloud_sync.mqtt import Arrived
from cloud_sync.wire import AckMessage, Channel, WireError, decode

log = structlog.get_logger()


class AckReader:
    """Reads the acks of one connection; logs the first bad one of each kind, as whoever sends wrong acks sends many."""

    def __init__(self, stream: str) -> None:
        """Take acks of this stream only."""
        self._stream = stream
        self._refused: Counter[str] = Counter()

    def read(self, arrived: Arrived, *, newest_seq: int) -> AckMessage | None:
        """Return the ack of a message, or None if it settles nothing.

        Args:
            arrived: From the box's ack topic.
            newest_seq: The last that was given. No ack can honestly go beyond; what was not sent yet may have come by
                stick.
        """
        try:
            ack = decode(Channel.ACK, arrived.payload, arrived.encoding)
        except WireError as error:
            self._refuse("it is none", error=str(error))
            return None
        assert isinstance(ack, AckMessage)
        if ack.stream != self._stream:
            self._refuse("it is for another stream", stream=ack.stream)
        elif ack.last_seq > newest_seq and ack.remint is None:
            # The database is older than what the cloud has of it, as after restoring a backup.
            self._refuse("it covers what was never made", seq=ack.last_seq, made=newest_seq)
        else:
            return ack
        return None

    def _refuse(self, reason: str, **about: str | int) -> None:
        self._refused[reason] += 1
        if self._refused[reason] == 1:
            log.warning("ack_refused", reason=reason, **about)
