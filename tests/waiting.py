"""Waiting for what other threads and programs do, and ports for them to meet at."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack


def eventually(fact: Callable[[], object], within_s: float = 10.0, explain: Callable[[], str] = lambda: "") -> None:
    """Wait until a fact holds, or fail."""
    deadline = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < deadline, f"still not true after {within_s} s\n{explain()}"
        time.sleep(0.03)


def free_ports(count: int) -> list[int]:
    """Return different TCP ports of loopback that nobody listens on."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]
