"""How agent and decoder process talk: JSON in one packet, with bytes or a file descriptor beside it.

No pickle: what a decoder sends may have been made up by whoever broke it.
"""

import json
import os
import socket
import struct
from dataclasses import dataclass
from typing import Any

BEAT = struct.Struct("=Q")
"""Monotonic nanoseconds in shared memory: when the decoder process last moved."""

_MOST_BYTES = 1 << 18  # of a packet: a small picture is at most 320 x 320


@dataclass(frozen=True, slots=True)
class Packet:
    """One message, what came beside it, and the file descriptor that came with it; whoever takes that closes it."""

    message: dict[str, Any]
    payload: bytes = b""
    descriptor: int | None = None


def send(connection: socket.socket, message: dict[str, Any], payload: bytes = b"", *, fd: int | None = None) -> None:
    """Send one message. Raises OSError where the other side has gone."""
    head = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    socket.send_fds(connection, [head, payload], [] if fd is None else [fd])


def receive(connection: socket.socket) -> Packet | None:
    """Wait for one message; None where the other side has gone.

    Raises:
        ValueError: What came is no message.
        OSError: The connection is broken, or its timeout is over.
    """
    data, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, 1)
    descriptor = descriptors[0] if descriptors else None
    if not data:
        return None
    head, _, payload = data.partition(b"\n")
    try:
        return Packet(_message(head), payload, descriptor)
    except ValueError:
        if descriptor is not None:
            os.close(descriptor)
        raise


def _message(head: bytes) -> dict[str, Any]:
    message = json.loads(head)
    if not isinstance(message, dict):
        raise ValueError("no message")  # noqa: TRY004  the same as what is no JSON
    return message
