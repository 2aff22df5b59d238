"""A link of so many bits a second each way, which holds as little as a modem may: what lies in it is not overtaken."""

import contextlib
import socket
import threading
import time
from typing import Self

CHUNK_BYTES = 512


class SlowLink:
    """Forwards connections to a port at a rate. Counts what it carried upwards."""

    def __init__(self, target_port: int, bits_per_s: float) -> None:
        self._target = ("127.0.0.1", target_port)
        self._bytes_per_s = bits_per_s / 8
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # inherited by what it accepts
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._listener.settimeout(0.05)
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent_bytes = 0
        self.connections = 0
        self._closing = threading.Event()
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.set()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in (*self._ends, self._listener):
            end.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            far = socket.create_connection(self._target)
            near.settimeout(None)
            self.connections += 1
            self._ends += [near, far]
            for source, sink, upwards in ((near, far, True), (far, near, False)):
                thread = threading.Thread(target=self._forward, args=(source, sink), kwargs={"upwards": upwards})
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, sink: socket.socket, *, upwards: bool) -> None:
        free_at = time.monotonic()
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                free_at = max(free_at, time.monotonic()) + len(data) / self._bytes_per_s
                time.sleep(max(0.0, free_at - time.monotonic()))
                self.sent_bytes += len(data) if upwards else 0
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
