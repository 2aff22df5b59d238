"""Receivers to follow: a server that speaks gpsd's protocol, and a serial line."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any, Self

from agent.places import Feed


class GpsdServer:
    """Listens on loopback and answers as gpsd does; the test says what it reports and when it breaks."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self._client: socket.socket | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.set()
        self._thread.join(5)
        self.cut()
        self._listener.close()

    def report(self, *reports: dict[str, Any]) -> None:
        """Send reports to whoever watches."""
        self.send(b"".join(json.dumps(report).encode() + b"\r\n" for report in reports))

    def send(self, data: bytes) -> None:
        with self._lock:
            assert self._client is not None
            self._client.sendall(data)

    def cut(self) -> None:
        """End the connection."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                self._greet(self._listener.accept()[0])

    def _greet(self, client: socket.socket) -> None:
        client.settimeout(5)
        client.sendall(b'{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}\r\n')
        request = b""
        while not request.endswith(b"\n"):
            request += client.recv(100)
        assert request == b'?WATCH={"enable":true,"json":true};\n'
        client.sendall(b'{"class":"DEVICES","devices":[]}\r\n{"class":"WATCH","enable":true,"json":true}\r\n')
        with self._lock:
            self._client = client
            self.connections += 1

    @property
    def watched(self) -> bool:
        with self._lock:
            return self._client is not None


class SerialLine:
    """A pseudo terminal: what is written comes out of the device at ``path``."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        self.path = os.ttyname(self._slave)

    def write(self, data: bytes) -> None:
        os.write(self._master, data)

    def unplug(self) -> None:
        os.close(self._slave)
        os.close(self._master)


@contextlib.contextmanager
def running(feed: Feed) -> Iterator[None]:
    """Run a feed in a thread, and see it end soon after it is told to."""
    stop = threading.Event()
    thread = threading.Thread(target=feed.run, args=(stop, lambda: None))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
