"""The notification protocol of systemd (``man 3 sd_notify``): ready, stopping, watchdog. Silent elsewhere."""

import os
import socket


def notify(message: str) -> bool:
    """Send one message, such as ``READY=1``, to the service manager; return whether there is one that took it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(1.0)
            channel.sendto(message.encode(), name)
    except OSError:
        return False
    return True


def watchdog_interval_s() -> float | None:
    """Return how often the service manager wants to hear from us at least, None when it does not watch."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    watched_pid = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdigit() or watched_pid != str(os.getpid()):
        return None
    return int(microseconds) / 1e6
