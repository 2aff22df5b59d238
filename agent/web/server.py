"""Serves the page from a supervised thread."""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.errors import FatalError

CONNECTIONS_MAX = 128
"""Open connections, idle ones included; more are answered 503."""

_LOOK_EVERY_S = 0.25
_BACKLOG = 64
_SEND_BUFFER_BYTES = 256 * 1024
"""Some pictures deep. Left to itself the kernel would buffer megabytes, and a slow phone watch the past."""

_GONE_AFTER_MS = 10_000
"""A visitor that takes nothing for so long has walked out of the network: its place goes to others."""


class PageServer:
    """One listening socket and the server behind it.

    ``bind`` in the main thread, so that a port in use is a start-up error; ``run`` in a thread of the supervisor. The
    socket outlives a ``run`` that fails: the next one goes on with it, and visitors wait instead of being refused.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        """Prepare to serve an application.

        Args:
            app: It finds the stop event in ``request.state.stop``, to end its long answers.
            host: An IP address of this machine.
            port: 0 takes a free one.
        """
        self._app = app
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None

    def bind(self) -> None:
        """Take the address; visitors wait from now on. Binding twice is fine.

        Raises:
            FatalError: The address cannot be had; the message says why and what to change.
        """
        if self._socket is None:
            self._socket = self._listen()

    @property
    def url(self) -> str:
        """The address to open, with the real port once bound; loopback where the server listens on all addresses."""
        port = self._socket.getsockname()[1] if self._socket else self._port
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  compared, not bound
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve until ``stop``; done within two seconds of it, open streams included.

        Args:
            stop: Ends the server.
            beat: Called four times a second while the server's loop turns.

        Raises:
            FatalError: The address cannot be had, where ``bind`` was not called before.
        """
        self.bind()
        try:
            asyncio.run(self._serve(stop, beat))
        finally:
            if stop.is_set():
                self.close()

    def close(self) -> None:
        """Give the address back. Closing twice is fine."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_AFTER_MS)
            listener.bind((self._host, self._port))
            listener.listen(_BACKLOG)  # now: two programs may bind one port as long as neither listens
        except OSError as error:
            listener.close()
            raise FatalError(self._explain(error)) from error
        return listener

    def _explain(self, error: OSError) -> str:
        place = f"port {self._port} on {self._host}"
        if error.errno == errno.EADDRINUSE:
            return f"{place} is in use by another program; choose another with page.port or --port"
        if error.errno == errno.EACCES:
            return (
                f"{place} needs more permission than this program has; choose one above 1023 with page.port or --port"
            )
        if error.errno == errno.EADDRNOTAVAIL:
            return f"{self._host} is not an address of this machine; change page.listen"
        return f"cannot listen on {place}: {error.strerror or error}"

    async def _serve(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        assert self._socket is not None
        config = uvicorn.Config(
            _with_stop(self._app, stop),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="error",  # its warnings tell of other people's broken requests
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=1,
        )
        await _Server(config, stop, beat).serve([self._socket.dup()])  # it closes what it is given


class _Server(uvicorn.Server):
    """Leaves signals to the program, and wakes up less often than uvicorn, which nobody may look at for days."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event, beat: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop, self._beat = stop, beat

    async def main_loop(self) -> None:
        while not self._stop.is_set():
            self._beat()
            await self.on_tick(0)  # the Date of answers
            await asyncio.sleep(_LOOK_EVERY_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _with_stop(app: ASGIApp, stop: threading.Event) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["stop"] = stop
        await app(scope, receive, send)

    return wrapped
