"""A broker that says what a test wants, byte by byte: for answers that the real ones never give on demand."""

import socket
import threading
from typing import Self

CONNACK = b"\x20\x03\x00\x00\x00"


class ScriptedBroker:
    """Answers each CONNECT with the same bytes, then reads and answers nothing."""

    def __init__(self, *answer: bytes) -> None:
        self._answer = b"".join(answer)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.set()
        self._thread.join(5)
        for end in (*self._open, self._listener):
            end.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                end, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            self._open.append(end)
            end.recv(65536)
            end.sendall(self._answer)
