"""Positions from gpsd, over its JSON protocol.

Source: gpsd_json(5), the objects WATCH and TPV.
"""

import json
import math
import select
import socket
from typing import Any

from agent.errors import RejectedError
from agent.places.nmea import RANGE_ERROR_M
from agent.places.position import Position
from agent.types import Instant

_CONNECT_TIMEOUT_S = 5.0
_MODES_WITH_FIX = (2, 3)  # in two and in three dimensions
_MOST = 1e9  # of any number in a report that is read here; metres and degrees are less
_WATCH = b'?WATCH={"enable":true,"json":true};\n'
_ARE_YOU_THERE = b"?VERSION;\n"
# By TPV's status. Without better from the receiver gpsd's estimates are those of an autonomous fix: 15 m and more.
_RTK_ERROR_M = {3: RANGE_ERROR_M[4], 4: RANGE_ERROR_M[5]}  # fixed, float


class GpsdLink:
    """A connection to gpsd that watches all its receivers."""

    def __init__(self, host: str, port: int, *, ask_after_s: float = 10.0) -> None:
        """Connect and ask for reports; raises OSError.

        Args:
            host: Name or address.
            port: Usually 2947.
            ask_after_s: When nothing came for so long, gpsd is asked for its version: one whose receiver is unplugged
                says nothing by itself, as a dead connection does.
        """
        self._ask_after_s = ask_after_s
        self._socket = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S)
        try:
            self._socket.sendall(_WATCH)
        except OSError:
            self._socket.close()
            raise
        self._quiet_s = 0.0

    def read(self, timeout_s: float) -> bytes:
        """Return what came, nothing if nothing came in time. Raises OSError when gpsd is gone."""
        if not select.select([self._socket], [], [], timeout_s)[0]:
            self._quiet_s += timeout_s
            if self._quiet_s >= self._ask_after_s:
                self._quiet_s = 0.0
                self._socket.sendall(_ARE_YOU_THERE)
            return b""
        self._quiet_s = 0.0
        data = self._socket.recv(65_536)
        if not data:
            raise ConnectionError("gpsd closed the connection")
        return data

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


class GpsdReader:
    """Makes positions of gpsd's reports. Has no state: each report stands for itself."""

    def read(self, line: bytes, at: Instant) -> Position | None:
        """Return the position of a TPV report with a fix; None for any other.

        Raises:
            RejectedError: No JSON object, or one with a position that cannot be.
        """
        try:
            report = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RejectedError(f"gpsd: not JSON: {line[:80]!r}") from error
        if not isinstance(report, dict):
            raise RejectedError(f"gpsd: not an object: {line[:80]!r}")
        if report.get("class") != "TPV" or report.get("mode") not in _MODES_WITH_FIX:
            return None
        latitude_deg, longitude_deg = _number(report, "lat"), _number(report, "lon")
        if latitude_deg is None or longitude_deg is None:
            return None
        if abs(latitude_deg) > 90 or abs(longitude_deg) > 180:
            raise RejectedError(f"gpsd: position {latitude_deg}, {longitude_deg} is not on the earth")
        return Position(at, latitude_deg, longitude_deg, _accuracy_m(report))


def _accuracy_m(report: dict[str, Any]) -> float | None:
    """Return gpsd's horizontal error, whose certainty gpsd does not tell; None where it has none."""
    east_m, north_m, whole_m = (_number(report, name) for name in ("epx", "epy", "eph"))
    if whole_m is None and east_m is not None and north_m is not None:
        whole_m = math.hypot(east_m, north_m)
    status = report.get("status")
    rtk_m = _RTK_ERROR_M.get(status) if isinstance(status, int) else None
    return min((m for m in (whole_m, rtk_m) if m is not None), default=None)


def _number(report: dict[str, Any], name: str) -> float | None:
    value = report.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST:
        raise RejectedError(f"gpsd: {name}: found {str(value)[:80]}; expected a number")
    return float(value)
