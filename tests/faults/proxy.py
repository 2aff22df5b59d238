"""A TCP proxy on loopback that a test cuts and stalls: the poor link."""

import contextlib
import select
import socket
import threading
from typing import Self


class Proxy:
    """Forwards connections to a port until it is told otherwise."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = self._listen()
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.connections = 0
        self.sent_bytes = 0  # from the near end
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut_after_bytes: int | None = None
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.set()
        self._flowing.set()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _listen(self) -> socket.socket:
        return socket.create_server(("127.0.0.1", 0))

    def cut(self) -> None:
        """End all connections at once, at whatever byte they are."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                shut(end)

    def cut_after(self, size_bytes: int) -> None:
        """End the connections once they have forwarded so many more bytes, in the middle of a packet or not."""
        with self._lock:
            self._cut_after_bytes = size_bytes

    @property
    def will_cut(self) -> bool:
        """Tell whether such a cut is still to come."""
        with self._lock:
            return self._cut_after_bytes is not None

    def stall(self) -> None:
        """Keep the connections open and forward nothing, as a dead radio does."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                far = socket.create_connection(self._target, timeout=1)
            except OSError:
                near.close()
                continue
            self.connections += 1
            with self._lock:
                self._pairs.append((near, far))
            for source, sink, upwards in ((near, far, True), (far, near, False)):
                thread = threading.Thread(target=self._forward, args=(source, sink), kwargs={"upwards": upwards})
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, sink: socket.socket, *, upwards: bool) -> None:
        try:
            while not self._closing.is_set():
                if not select.select([source], [], [], 0.05)[0]:
                    continue
                data = source.recv(65536)
                self._flowing.wait(30)
                if not data:
                    break
                allowed = self._allowed(len(data))
                self.sent_bytes += allowed if upwards else 0
                sink.sendall(data[:allowed])
                if allowed < len(data):
                    self.cut()
                    break
        except (OSError, ValueError):  # closed by the other direction, or by a cut
            pass
        shut(source)
        shut(sink)

    def _allowed(self, size_bytes: int) -> int:
        with self._lock:
            if self._cut_after_bytes is None:
                return size_bytes
            allowed = min(size_bytes, self._cut_after_bytes)
            self._cut_after_bytes = self._cut_after_bytes - size_bytes if allowed == size_bytes else None
            return allowed


def shut(end: socket.socket) -> None:
    """End a connection in both directions, at once."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
