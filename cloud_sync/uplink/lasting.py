"""What outlives a connection of the uplink."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from cloud_sync.outbox import Outbox
from cloud_sync.uplink.budget import Budget
from cloud_sync.uplink.flights import ByteWindow, Pace
from cloud_sync.uplink.parking import Parking
from cloud_sync.uplink.sent import Sent
from cloud_sync.uplink.settings import UplinkSettings
from cloud_sync.uplink.settler import Settler
from cloud_sync.wire import Channel


@dataclass(slots=True)
class Lasting:
    """What was learnt of broker, cloud and link, what is to be settled, and the counters."""

    pace: Pace
    window_bytes: ByteWindow
    parking: Parking
    settler: Settler
    budget: Budget
    max_packet_bytes: int
    sent: Sent
    sent_messages: int = 0
    sent_bytes: int = 0
    confirmations: int = 0  # of messages with rows
    complaints: dict[Channel, str] = field(default_factory=dict)  # what the broker said last, where it was bad

    @classmethod
    def new(cls, settings: UplinkSettings, outbox: Outbox, budget: Budget, *, on_settled: Callable[[], None]) -> Self:
        """Begin, with nothing learnt; ``on_settled`` is called from the writer's thread."""
        return cls(
            pace=Pace(
                most=settings.unconfirmed, timeout_s=settings.ack_timeout_s, timeout_most_s=settings.ack_timeout_most_s
            ),
            window_bytes=ByteWindow(least=settings.window_least_bytes, most=settings.window_bytes),
            parking=Parking(first_s=settings.retry_first_s, most_s=settings.retry_most_s),
            settler=Settler(outbox, on_done=on_settled),
            budget=budget,
            max_packet_bytes=settings.max_packet_bytes,
            sent=Sent(),
        )

    def forget(self) -> None:
        """What was sent and what is to be settled go by numbers of the stream before."""
        self.settler.forget()
        self.sent.clear()
