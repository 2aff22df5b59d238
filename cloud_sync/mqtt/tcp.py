"""What the kernel knows of a TCP connection: the bytes that were paid for, and whether they still move."""

import socket
import struct
from dataclasses import dataclass
from typing import Any

_COUNTERS = struct.Struct("=QQII")  # bytes_acked, bytes_received, segs_out, segs_in
_COUNTERS_AT = 120
_SENT = struct.Struct("=Q")  # bytes_sent, repeats included
_SENT_AT = 200
_READ_BYTES = 256
_TCP_BYTES = 32  # a TCP header with timestamps
_IP_BYTES = {socket.AF_INET: 20, socket.AF_INET6: 40}
_THIN_LINEAR_TIMEOUTS = 16  # TCP_THIN_LINEAR_TIMEOUTS; Python has no name for it


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a connection has carried: whole IP packets, so TLS, repeats, acknowledgements and headers are in it."""

    sent_bytes: int = 0
    received_bytes: int = 0
    acked_bytes: int = 0  # of the stream alone: what has reached the other machine


def read_traffic(sock: Any) -> Traffic | None:
    """Ask the kernel.

    Args:
        sock: A TCP socket, plain or TLS.

    Returns:
        What it counted since the connection was made; None where it does not say (a closed socket, no Linux 4.19).

    Source: Linux, include/uapi/linux/tcp.h, struct tcp_info.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _READ_BYTES)
        acked, received, segments_out, segments_in = _COUNTERS.unpack_from(info, _COUNTERS_AT)
        (sent,) = _SENT.unpack_from(info, _SENT_AT)
        header = _IP_BYTES[sock.family] + _TCP_BYTES
    except (OSError, AttributeError, KeyError, struct.error):
        return None
    return Traffic(sent + header * segments_out, received + header * segments_in, acked)


def tune(sock: Any) -> None:
    """Small packets go at once, and on a lossy link they are repeated at a steady pace."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_INFO"):  # Linux. Doubling timeouts make half a minute of four lost packets in a row
        sock.setsockopt(socket.IPPROTO_TCP, _THIN_LINEAR_TIMEOUTS, 1)
