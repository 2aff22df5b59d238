"""Sentences of NMEA 0183, as nearly every receiver speaks it: where it is, and how sure of it.

Source: NMEA 0183, Standard for Interfacing Marine Electronic Devices, sentences GGA and RMC; field by field in the
Garmin GPS 18x Technical Specifications, section 4.2, and the u-blox M8 Receiver Description, chapter NMEA Protocol.
"""

import functools
import operator
import re
from dataclasses import dataclass

from agent.errors import RejectedError
from agent.places.position import Position
from agent.types import Instant

_SENTENCE = re.compile(rb"^[$!]([A-Z][A-Z0-9]{2,9}),([ -)+-~]*)\*([0-9A-Fa-f]{2})$")
_TIME = re.compile(r"^(\d{2})(\d{2})(\d{2}(?:\.\d+)?)$")
_LATITUDE = re.compile(r"^(\d{2})(\d{2}(?:\.\d+)?)$")
_LONGITUDE = re.compile(r"^(\d{3})(\d{2}(?:\.\d+)?)$")

# What one range to a satellite is off, root mean square, by GGA's quality. Assumed from what receivers' data sheets
# promise (u-blox M8: 2.5 m for half of all fixes, which is 3 m root mean square) with room for leaves overhead.
RANGE_ERROR_M = {1: 4.0, 2: 2.0, 3: 4.0, 4: 0.05, 5: 0.5}  # autonomous, differential, PPS, RTK fixed, RTK float
_QUALITY_OF_MODE = {"A": 1, "D": 2, "P": 3, "R": 4, "F": 5}  # RMC's mode; estimated, manual and simulated are no fix

_GGA_SILENT_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Fix:
    """A position as a sentence tells it."""

    latitude_deg: float
    longitude_deg: float
    accuracy_m: float
    time_s: float | None  # UTC, since midnight
    has_hdop: bool  # GGA with its dilution of precision; RMC says none, and 1 is assumed


def parse(line: bytes) -> Fix | None:
    """Read a sentence.

    Args:
        line: Without its end.

    Returns:
        The fix; None for a sentence of another kind, or of a receiver that knows no position or only estimates it.

    Raises:
        RejectedError: No sentence, cut short, a wrong checksum, or a field that cannot be.
    """
    whole = _SENTENCE.match(line)
    if whole is None:
        raise RejectedError(f"no NMEA sentence: {line[:82]!r}")
    if checksum(line[1:-3]) != int(whole[3], 16):
        raise RejectedError(
            f"checksum: found {whole[3].decode()}; expected {checksum(line[1:-3]):02X} in {line[:82]!r}"
        )
    address, fields = whole[1].decode("ascii"), whole[2].decode("ascii").split(",")
    if len(address) != 5 or address.startswith("P"):
        return None  # a maker's own sentence
    read = {"GGA": _gga, "RMC": _rmc}.get(address[2:])  # whatever the talker: GP, GL, GA, GB, GN for several at once
    return read(fields) if read else None


def checksum(content: bytes) -> int:
    """Return the exclusive or of all bytes between ``$`` and ``*``."""
    return functools.reduce(operator.xor, content, 0)


class NmeaReader:
    """Makes positions of sentences. Where a receiver sends both, GGA counts, which says how exact it is."""

    def __init__(self) -> None:
        """Start before the first sentence of a connection."""
        self._gga_at_ns: int | None = None

    def read(self, line: bytes, at: Instant) -> Position | None:
        """Return the position that a sentence tells, None where it tells none. Raises RejectedError for garbage."""
        fix = parse(line)
        if fix is None:
            return None
        if fix.has_hdop:
            self._gga_at_ns = at.monotonic_ns
        elif self._gga_at_ns is not None and at.monotonic_ns - self._gga_at_ns < _GGA_SILENT_NS:
            return None
        return Position(at, fix.latitude_deg, fix.longitude_deg, fix.accuracy_m)


def _gga(fields: list[str]) -> Fix | None:
    """Read time, latitude, N or S, longitude, E or W, quality, satellites, HDOP, ..."""
    if len(fields) < 8:
        raise RejectedError(f"GGA: found {len(fields)} fields; expected 14")
    quality = _number(fields[5], "GGA quality")
    range_error_m = RANGE_ERROR_M.get(int(quality))
    if range_error_m is None:
        return None
    hdop = _number(fields[7], "GGA dilution of precision") if fields[7] else 1.0
    return _fix(fields[0], fields[1:5], hdop * range_error_m, has_hdop=True)


def _rmc(fields: list[str]) -> Fix | None:
    """Read time, A or V, latitude, N or S, longitude, E or W, speed, course, date, variation, E or W, mode."""
    if len(fields) < 9:
        raise RejectedError(f"RMC: found {len(fields)} fields; expected 11 to 13")
    mode = fields[11] if len(fields) > 11 else "A"  # before version 2.3 there was none
    quality = _QUALITY_OF_MODE.get(mode)
    if fields[1] != "A" or quality is None:
        return None
    return _fix(fields[0], fields[2:6], RANGE_ERROR_M[quality], has_hdop=False)


def _fix(time: str, place: list[str], accuracy_m: float, *, has_hdop: bool) -> Fix:
    """Put a fix together.

    ``accuracy_m`` is the dilution of precision times the error of a range, which is the root mean square of the
    horizontal error. Source: Kaplan and Hegarty, Understanding GPS/GNSS, 3rd edition, 2017, section 11.2.
    """
    latitude_deg = _degrees(place[0], _LATITUDE, place[1], "NS", 90)
    longitude_deg = _degrees(place[2], _LONGITUDE, place[3], "EW", 180)
    return Fix(latitude_deg, longitude_deg, accuracy_m, _seconds(time), has_hdop)


def _degrees(text: str, form: re.Pattern[str], side: str, sides: str, most: int) -> float:
    """Make degrees of ``ddmm.mmmm`` and a side of the earth."""
    match = form.match(text)
    if match is None or not side or side not in sides:
        raise RejectedError(f"position: found {text!r}, {side!r}; expected degrees and minutes, and one of {sides}")
    degrees, minutes = int(match[1]), float(match[2])
    value = degrees + minutes / 60
    if minutes >= 60 or value > most:
        raise RejectedError(f"position: found {text!r}; expected minutes below 60 and at most {most} degrees")
    return value if side == sides[0] else -value


def _seconds(text: str) -> float | None:
    """Make seconds since midnight of ``hhmmss.ss``."""
    if not text:
        return None
    match = _TIME.match(text)
    if match is None:
        raise RejectedError(f"time: found {text!r}; expected hhmmss")
    hours, minutes, seconds = int(match[1]), int(match[2]), float(match[3])
    if hours > 23 or minutes > 59 or seconds >= 61:  # a leap second has the number 60
        raise RejectedError(f"time: found {text!r}; expected a time of day")
    return hours * 3600 + minutes * 60 + seconds


def _number(text: str, what: str) -> float:
    if not re.match(r"^\d+(\.\d*)?$", text):
        raise RejectedError(f"{what}: found {text!r}; expected a number")
    return float(text)
