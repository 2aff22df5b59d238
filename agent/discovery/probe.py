"""WS-Discovery: ask all cameras of a network at once who they are."""

import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote
from uuid import uuid4

from agent.discovery.soap import each, envelope, host_of, parse, printable, text_of
from agent.errors import FatalError, RejectedError

GROUP = ("239.255.255.250", 3702)
"""Where cameras listen. Source: OASIS WS-Discovery 1.1, 3.1.1."""

_REPEAT_S = 0.5  # datagrams get lost
_MOST_BYTES = 65_536
_MOST_CAMERAS = 1000
_SCOPE = re.compile(r"onvif://www\.onvif\.org/(name|hardware|location)/(\S+)")
_PROBE = (
    '<d:Probe xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
    'xmlns:n="http://www.onvif.org/ver10/network/wsdl"><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe>'
)


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered: its lasting id, what it calls itself, and the addresses of its device service."""

    device_id: str
    name: str
    hardware: str
    services: tuple[str, ...]


def probe(
    interfaces: Sequence[str],
    *,
    seconds: float,
    group: tuple[str, int] = GROUP,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Found]:
    """Ask, and collect the answers.

    Args:
        interfaces: Addresses of this machine whose networks are asked; none: the one that the system chooses.
        seconds: How long to wait for answers.
        group: Where cameras listen.
        on_progress: Called with the number of cameras so far, and 0.

    Returns:
        By name; one entry a device, however often it answered. What is no answer to this question is left out.

    Raises:
        FatalError: There is no such interface, or no network at all.
    """
    message_id = f"urn:uuid:{uuid4()}"
    found: dict[str, Found] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        end_s, next_s = time.monotonic() + seconds, 0.0
        while (now_s := time.monotonic()) < end_s and len(found) < _MOST_CAMERAS:
            if now_s >= next_s:
                _ask(ours, interfaces, group, message_id)
                next_s = now_s + max(_REPEAT_S, seconds / 4)
            ours.settimeout(max(0.01, min(end_s, next_s) - now_s))
            try:
                found.update(_matches(ours.recvfrom(_MOST_BYTES)[0], message_id))
            except TimeoutError:
                continue
            if on_progress is not None:
                on_progress(len(found), 0)
    return sorted(found.values(), key=lambda device: (device.name, device.device_id))


def _ask(ours: socket.socket, interfaces: Sequence[str], group: tuple[str, int], message_id: str) -> None:
    header = (
        '<a:Action xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">'
        "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
        f'<a:MessageID xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">{message_id}</a:MessageID>'
        '<a:To xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing">'
        "urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
    )
    for interface in interfaces or ("0.0.0.0",):  # noqa: S104  the system's choice of a network to send to
        try:
            ours.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            ours.sendto(envelope(_PROBE, header=header), group)
        except OSError as error:
            where = f"from {interface}" if interfaces else "without --interface"
            raise FatalError(f"cannot ask the network {where}: {error.strerror or error}") from None


def _matches(datagram: bytes, message_id: str) -> dict[str, Found]:
    """Return the devices of one answer by id; none where it answers another question, or is nonsense."""
    try:
        answer = parse(datagram)
    except RejectedError:
        return {}
    if text_of(answer, "RelatesTo") != message_id:
        return {}
    found = {}
    for match in each(answer, "ProbeMatch"):
        services = tuple(url for url in text_of(match, "XAddrs").split() if host_of(url))
        named = {kind: printable(unquote(value)) for kind, value in _SCOPE.findall(text_of(match, "Scopes"))}
        device_id = text_of(match, "Address") or (services[0] if services else "")
        if device_id and services:
            found[device_id] = Found(device_id, named.get("name", ""), named.get("hardware", ""), services)
    return found
