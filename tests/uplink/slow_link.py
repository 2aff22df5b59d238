"""A link of so many bits a second each way, which holds as little as a modem may: what lies in it is not overtaken."""

import contextlib
import socket
import time

from tests.faults.proxy import Proxy, shut

CHUNK_BYTES = 512


class SlowLink(Proxy):
    """Forwards connections to a port at a rate. Counts what it carried upwards."""

    def __init__(self, target_port: int, bits_per_s: float) -> None:
        self._bytes_per_s = bits_per_s / 8
        super().__init__(target_port)

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # inherited by what it accepts
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener

    def _forward(self, source: socket.socket, sink: socket.socket, *, upwards: bool) -> None:
        source.settimeout(None)
        sink.settimeout(None)
        free_at = time.monotonic()
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                free_at = max(free_at, time.monotonic()) + len(data) / self._bytes_per_s
                time.sleep(max(0.0, free_at - time.monotonic()))
                self.sent_bytes += len(data) if upwards else 0
                sink.sendall(data)
        shut(source)
        shut(sink)
