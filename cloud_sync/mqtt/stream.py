"""The socket as paho and we share it: whole packets in both directions, so that none ever lies inside another.

paho takes a ``Stream`` for its socket. What it sends goes into one line with our own packets; what came is cut into
packets, of which the connection takes the PUBACKs and lends paho the rest, one by one.
"""

import socket
import ssl

from cloud_sync.mqtt.events import Delivered
from cloud_sync.mqtt.packets import Inbox

READ_BYTES = 64 * 1024
SEGMENT_BYTES = 1448
"""Of an Ethernet packet, at most this is ours."""
TLS_RECORD_BYTES = 16 * 1024


class Stream:
    """One connected socket. All methods belong to one thread."""

    def __init__(self, sock: socket.socket, *, modern: bool) -> None:
        """Take a socket over; ``modern`` is MQTT 5."""
        self.sock = sock
        self.ended = False  # nothing more comes
        self._inbox = Inbox(modern=modern)
        self._lent = bytearray()
        self._waiting = bytearray()
        self.full = False  # the socket takes no more for now: wait until it is writable
        self._held = False
        self._broken: OSError | None = None
        self._portion_bytes = _portion_bytes(sock)

    def receive(self) -> list[Delivered | bytes]:
        """Read what has come, up to 64 KiB, and return the packets in it. Sets ``ended`` where that was the last."""
        try:
            piece = self.sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self.ended = self._broken is not None  # a socket that takes nothing any more may still have had last words
            return []
        except OSError as error:
            self._broken = error  # what comes from the other end says more than what did not get there
            self.ended = True
            return []
        self.ended = not piece
        self._inbox.add(piece)
        return self._inbox.take()

    def has_decrypted(self) -> bool:
        """Tell whether there is something to read of which the socket itself knows nothing any more."""
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def lend(self, packet: bytes) -> None:
        """Let paho read a packet."""
        self._lent += packet

    def write(self, packet: bytes | bytearray) -> None:
        """Send a whole packet, behind those before it. What has broken is told by ``receive``."""
        self._waiting += packet
        if not self._held:
            self.flush()
        elif len(self._waiting) >= self._portion_bytes and not self.full:
            whole_bytes = len(self._waiting) // self._portion_bytes * self._portion_bytes
            self._send_some(self._waiting[:whole_bytes])

    def hold(self, *, on: bool) -> None:
        """Keep back what does not fill an IP packet, or until it is off again."""
        self._held = on
        if not on:
            self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self._waiting and not self.full:
            self._send_some(self._waiting)

    def writable(self) -> None:
        """The socket takes more."""
        self.full = False
        self.flush()

    @property
    def broken(self) -> bool:
        """Tell whether nothing can be sent any more."""
        return self._broken is not None

    def _send_some(self, portion: bytearray) -> None:
        try:
            sent_bytes = self.sock.send(portion)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self.full = True
        except OSError as error:
            self._broken = error
            self._waiting.clear()
        else:
            del self._waiting[:sent_bytes]

    # What paho asks of its socket.

    def recv(self, size_bytes: int) -> bytes:
        """Give paho of what is lent to it; after that, the end."""
        if self._lent:
            piece = bytes(self._lent[:size_bytes])
            del self._lent[:size_bytes]
            return piece
        if not self.ended:
            raise BlockingIOError
        if self._broken is not None:
            raise self._broken
        return b""

    def send(self, packet: bytes | bytearray) -> int:
        """Take a whole packet of paho's."""
        self.write(packet)
        return len(packet)

    def close(self) -> None:
        """Hang up."""
        self.sock.close()

    def fileno(self) -> int:
        """Return the socket's number, for a poll."""
        return self.sock.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001  the name and the kind are paho's
        """Wait in reading and writing, or not."""
        self.sock.setblocking(flag)


def _portion_bytes(sock: socket.socket) -> int:
    """Return after how many bytes it costs nothing to send: they fill IP packets, or a record of TLS."""
    if isinstance(sock, ssl.SSLSocket):
        return TLS_RECORD_BYTES
    try:
        return min(SEGMENT_BYTES, sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
    except OSError:
        return SEGMENT_BYTES
