"""Ends a wait on sockets from another thread."""

import contextlib
import socket
import weakref


class Wake:
    """A flag that a poll on sockets can wait for. ``set`` may be called from any thread, as often as one likes."""

    def __init__(self) -> None:
        """Open the pair of sockets behind it; they close with the object."""
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        for end in (self._receiver, self._sender):
            weakref.finalize(self, end.close)

    def fileno(self) -> int:
        """Return what to wait for: readable means set."""
        return self._receiver.fileno()

    def set(self) -> None:
        """Wake the waiter, now or when it next waits."""
        with contextlib.suppress(BlockingIOError):  # full of wake-ups that nobody has seen yet: it is set
            self._sender.send(b"\0")

    def clear(self) -> None:
        """Forget what was set so far."""
        with contextlib.suppress(BlockingIOError):
            while self._receiver.recv(4096):
                pass
