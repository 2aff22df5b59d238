"""The poor link, packet by packet: it cuts at a chosen packet, repeats and reorders, and knows what it delivered."""

import random
import select
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.faults.packets import Kind, Packet, Splitter
from tests.faults.proxy import Proxy, shut

Place = Literal["before", "middle", "behind"]
HELD_S = 0.03
"""Longest that a packet is held back for others to overtake it."""


@dataclass(slots=True)
class Cut:
    """The connection ends at a packet: before it, within it or behind it."""

    upwards: bool
    matches: Callable[[Packet], bool]
    place: Place
    left: int  # so many more times


class PacketProxy(Proxy):
    """Forwards whole packets only."""

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.passed: Counter[tuple[bool, int]] = Counter()  # packets by direction (upwards?) and kind
        self.delivered: Counter[tuple[str, int]] = Counter()  # outbox entries that went down, to a subscriber
        self._cuts: list[Cut] = []
        self._dice: random.Random | None = None

    def cut_at(self, matches: Callable[[Packet], bool], *, upwards: bool, place: Place, times: int = 1) -> Cut:
        """End the connection at packets that match; the result tells how often it is still to happen."""
        cut = Cut(upwards, matches, place, times)
        with self._lock:
            self._cuts.append(cut)
        return cut

    def shuffle(self, dice: random.Random) -> None:
        """From now on repeat messages, and let them overtake each other, in both directions."""
        self._dice = dice

    def keep_order(self) -> None:
        """End that."""
        self._dice = None

    @property
    def delivered_again(self) -> int:
        """Return how many times an outbox entry reached a subscriber that had been sent it before."""
        with self._lock:
            return self.delivered.total() - len(self.delivered)

    def _forward(self, source: socket.socket, sink: socket.socket, *, upwards: bool) -> None:
        splitter = Splitter()
        held: list[Packet] = []
        try:
            while not self._closing.is_set():
                if not select.select([source], [], [], HELD_S)[0]:
                    self._release(held, sink, upwards=upwards)
                    continue
                data = source.recv(65536)
                self._flowing.wait(30)
                if not data:
                    break
                for packet in splitter.feed(data):
                    self._take(packet, held, sink, upwards=upwards)
        except (OSError, ValueError, ConnectionError):  # closed by the other direction, or by a cut
            pass
        shut(source)
        shut(sink)

    def _take(self, packet: Packet, held: list[Packet], sink: socket.socket, *, upwards: bool) -> None:
        dice = self._dice
        if dice is None or packet.kind != Kind.PUBLISH:
            self._release(held, sink, upwards=upwards)
            self._send(packet, sink, upwards=upwards)
            return
        held += [packet] * dice.choice((1, 1, 2, 3))
        if len(held) >= 6:
            self._release(held, sink, upwards=upwards)

    def _release(self, held: list[Packet], sink: socket.socket, *, upwards: bool) -> None:
        if held and self._dice is not None:
            self._dice.shuffle(held)
        for packet in held:
            self._send(packet, sink, upwards=upwards)
        held.clear()

    def _send(self, packet: Packet, sink: socket.socket, *, upwards: bool) -> None:
        place = self._place_of_cut(packet, upwards=upwards)
        size_bytes = {"before": 0, "middle": max(1, len(packet.data) // 2)}.get(place or "", len(packet.data))
        allowed = self._allowed(size_bytes)
        sink.sendall(packet.data[:allowed])
        if place is not None or allowed < size_bytes:
            self.cut()
            raise ConnectionError("cut")
        self.sent_bytes += len(packet.data) if upwards else 0
        with self._lock:
            self.passed[upwards, packet.kind] += 1
            self.delivered.update(packet.entries() if not upwards else ())

    def _place_of_cut(self, packet: Packet, *, upwards: bool) -> Place | None:
        with self._lock:
            for cut in self._cuts:
                if cut.left and cut.upwards == upwards and cut.matches(packet):
                    cut.left -= 1
                    return cut.place
        return None


def of_kind(kind: Kind) -> Callable[[Packet], bool]:
    """Return a test for packets of one kind."""
    return lambda packet: packet.kind == kind
