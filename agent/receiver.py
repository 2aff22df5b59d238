"""How the configuration names a receiver of satellite positions."""

from dataclasses import dataclass
from urllib.parse import urlsplit

BAUD_RATES = (4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)

_GPSD_PORT = 2947
_ALLOWED = "allowed: gpsd://HOST[:PORT], a device as /dev/ttyACM0 or /dev/ttyUSB0?baud=9600, or an NMEA file"


@dataclass(frozen=True, slots=True)
class GpsdAddress:
    """Where a gpsd listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class NmeaPath:
    """A device that speaks NMEA 0183, or a file of it; the speed is that of a serial line."""

    path: str
    baud: int = 9600


def parse_receiver(text: str) -> GpsdAddress | NmeaPath:
    """Read ``gpsd://HOST[:PORT]``, or a path that may end in ``?baud=SPEED``.

    Raises:
        ValueError: It is neither; the message says what is allowed.
    """
    if "://" in text:
        return _address(text)
    path, _, option = text.partition("?")
    if not path.strip():
        raise ValueError(_ALLOWED)
    if not option:
        return NmeaPath(path)
    name, _, baud = option.partition("=")
    if name != "baud" or baud not in {str(speed) for speed in BAUD_RATES}:
        raise ValueError(f"option {option!r} is not known; allowed: baud= one of {', '.join(map(str, BAUD_RATES))}")
    return NmeaPath(path, int(baud))


def _address(text: str) -> GpsdAddress:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"no address: {error}; {_ALLOWED}") from None
    if parts.scheme != "gpsd":
        raise ValueError(f"scheme {parts.scheme!r} is not known; {_ALLOWED}")
    if not host or port == 0 or parts.username is not None or parts.path not in {"", "/"} or parts.query:
        raise ValueError(f"not a host and a port alone; {_ALLOWED}")
    return GpsdAddress(host, _GPSD_PORT if port is None else port)
