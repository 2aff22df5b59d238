"""The whole search: who is there, and what streams they have."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from agent.discovery.onvif import Login, Stream, streams_of
from agent.discovery.probe import GROUP, Found, probe
from agent.errors import RejectedError, RetryableError

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera and its streams, the largest first; ``problem`` says why there are none."""

    name: str
    hardware: str
    device_id: str
    service: str
    streams: tuple[Stream, ...]
    problem: str


def discover(
    interfaces: Sequence[str],
    *,
    seconds: float,
    login: Login | None,
    utc_ns: int,
    group: tuple[str, int] = GROUP,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Camera]:
    """Find cameras, and ask each for its streams; one that is slow or odd costs the others nothing.

    Args:
        interfaces: Addresses of this machine whose networks are asked; none: the one that the system chooses.
        seconds: How long to wait for cameras to show themselves.
        login: Tried on all of them.
        utc_ns: The time now.
        group: Where cameras listen.
        on_progress: Called with the number of cameras found so far, and 0.

    Raises:
        FatalError: The network cannot be asked.
    """
    found = probe(interfaces, seconds=seconds, group=group, on_progress=on_progress)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(partial(_asked, login=login, utc_ns=utc_ns), found))


def _asked(device: Found, *, login: Login | None, utc_ns: int) -> Camera:
    """Ask a camera at each of its addresses until one answers."""
    problem = ""
    for service in device.services:
        about = (device.name, device.hardware, device.device_id, service)
        try:
            return Camera(*about, tuple(streams_of(service, login, utc_ns=utc_ns)), "")
        except RejectedError as error:
            return Camera(*about, (), str(error))
        except RetryableError as error:
            problem = str(error)
    return Camera(device.name, device.hardware, device.device_id, device.services[0], (), problem)
