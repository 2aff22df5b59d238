"""Sentences of NMEA 0183: published examples with values worked by hand, and garbage."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import RejectedError
from agent.places.nmea import NmeaReader, checksum, parse
from agent.types import Instant

# From the NMEA FAQ (P. Bennett), where they have stood since 1992, and the u-blox M8 receiver description.
GGA = b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47"
RMC = b"$GPRMC,225446,A,4916.45,N,12311.12,W,000.5,054.7,191194,020.3,E*68"
UBLOX_GGA = b"$GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,*5B"
UBLOX_RMC = b"$GPRMC,083559.00,A,4717.11437,N,00833.91522,E,0.004,77.52,091202,,,A*57"
UBLOX_GLL = b"$GPGLL,4717.11364,N,00833.91565,E,092321.00,A,A*60"


def sentence(content: str) -> bytes:
    return f"${content}*{checksum(content.encode()):02X}".encode()


def at(seconds: float) -> Instant:
    return Instant(utc_ns=0, monotonic_ns=round(seconds * 1e9), boot=1)


@pytest.mark.parametrize(
    ("line", "latitude_deg", "longitude_deg", "accuracy_m", "time_s"),
    [
        (GGA, 48 + 7.038 / 60, 11 + 31 / 60, 3.6, 12 * 3600 + 35 * 60 + 19),  # 48.1173, 11.516667; 0.9 x 4 m
        (RMC, 49.2741666667, -123.1853333333, 4.0, 22 * 3600 + 54 * 60 + 46),  # 16.45 / 60, 11.12 / 60
        (UBLOX_GGA, 47.2852331667, 8.565265, 4.04, 34045.0),  # 17.11399 / 60 = 0.28523317
        (UBLOX_RMC, 47.2852395, 8.5652536667, 4.0, 30959.0),
    ],
)
def test_published_examples(line, latitude_deg, longitude_deg, accuracy_m, time_s):
    """Degrees and minutes, sides of the earth, dilution of precision and time of published sentences are read right."""
    fix = parse(line)
    assert fix is not None
    assert (fix.latitude_deg, fix.longitude_deg) == pytest.approx((latitude_deg, longitude_deg), abs=1e-9)
    assert (fix.accuracy_m, fix.time_s) == pytest.approx((accuracy_m, time_s))


def test_checksum_is_the_exclusive_or():
    """Worked by hand: 'A' 0x41 and 'B' 0x42 give 0x03, with 'G' 0x47 that is 0x44."""
    assert checksum(b"AB") == 0x03
    assert checksum(b"ABG") == 0x44


@pytest.mark.parametrize("talker", ["GP", "GL", "GA", "GB", "GN", "IN"])
def test_any_talker(talker):
    """Receivers of GPS, GLONASS, Galileo, BeiDou or several are all understood, and south is negative."""
    fix = parse(sentence(f"{talker}GGA,000000.00,3345.0000,S,15109.0000,E,1,12,0.5,,,,,,"))
    assert fix is not None
    assert (fix.latitude_deg, fix.longitude_deg, fix.accuracy_m) == pytest.approx((-33.75, 151.15, 2.0))


@pytest.mark.parametrize(
    ("quality", "accuracy_m"),
    [(0, None), (1, 8.0), (2, 4.0), (3, 8.0), (4, 0.1), (5, 1.0), (6, None), (7, None), (8, None), (9, None)],
)
def test_quality_of_a_fix(quality, accuracy_m):
    """Twice the range error of each quality at a dilution of two; estimated, manual and simulated ones are no fix."""
    fix = parse(sentence(f"GNGGA,120000,4800.00,N,01100.00,E,{quality},08,2.0,500,M,46,M,,"))
    assert (fix and fix.accuracy_m) == (pytest.approx(accuracy_m) if accuracy_m else None)


@pytest.mark.parametrize(
    ("fields", "accuracy_m"),
    [("A,4800.00,N,01100.00,E,0,0,010126,,,R,V", 0.05), ("A,4800.00,N,01100.00,E,0,0,010126,,,D", 2.0)]
    + [(f"{status},4800.00,N,01100.00,E,0,0,010126,,,{mode}", None) for status, mode in ("VA", "AN", "AE", "AS", "AM")],
)
def test_mode_of_rmc(fields, accuracy_m):
    """A void sentence and modes that are no measurement give no fix; RTK and differential ones are more exact."""
    fix = parse(sentence(f"GNRMC,120000,{fields}"))
    assert (fix and fix.accuracy_m) == (pytest.approx(accuracy_m) if accuracy_m else None)


@pytest.mark.parametrize(
    "line",
    [
        UBLOX_GLL,
        sentence("GPGSV,3,1,10,23,38,230,44,29,71,156,47,07,29,116,41,08,09,081,36"),
        sentence("PUBX,00,081350.00,4717.113210,N"),
        sentence("PGRMC,A,1"),  # a maker's own sentence that only sounds like RMC
        sentence("GPTXT,01,01,02,u-blox ag - www.u-blox.com"),
        sentence("GNGGA,,,,,,0,00,99.99,,,,,,"),
        sentence("GNRMC,,V,,,,,,,,,,N"),
    ],
)
def test_sentences_without_a_position_are_no_garbage(line):
    """Other sentences, makers' own and those of a receiver without a fix are understood, and tell no position."""
    assert parse(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xb5\x62\x01\x07\x5c\x00",  # another protocol on the same line
        GGA[:-1],
        GGA[:40],
        GGA[20:],
        GGA.replace(b"4807", b"4808"),  # one digit wrong: the checksum tells
        GGA[:-2] + b"00",
        GGA[:30] + GGA,
        sentence("GPGGA,123519,4807.038,N"),
        sentence("GPGGA,123519,4860.000,N,01131.000,E,1,08,0.9,,,,,,"),  # 60 minutes
        sentence("GPGGA,123519,9000.001,N,01131.000,E,1,08,0.9,,,,,,"),
        sentence("GPGGA,123519,4807.038,X,01131.000,E,1,08,0.9,,,,,,"),
        sentence("GPGGA,123519,4807.038,,01131.000,E,1,08,0.9,,,,,,"),
        sentence("GPGGA,123519,4807.038,N,1131.000,E,1,08,0.9,,,,,,"),
        sentence("GPGGA,123519,4807.038,N,01131.000,E,x,08,0.9,,,,,,"),
        sentence("GPGGA,123519,4807.038,N,01131.000,E,1,08,nan,,,,,,"),
        sentence("GPGGA,253519,4807.038,N,01131.000,E,1,08,0.9,,,,,,"),
        sentence("GPGGA,12:35,4807.038,N,01131.000,E,1,08,0.9,,,,,,"),
        sentence("GPRMC,123519,A,4807.038,N"),
    ],
)
def test_garbage_is_refused(line):
    """Cut, changed or impossible sentences raise, so that they can be counted."""
    with pytest.raises(RejectedError):
        parse(line)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(line):
    """No line whatever raises anything but a refusal."""
    with contextlib.suppress(RejectedError):
        parse(line)


@given(st.text(st.characters(codec="ascii", exclude_characters="*\r\n$"), max_size=60), st.sampled_from(["GGA", "RMC"]))
def test_any_fields_are_read_or_refused(fields, kind):
    """Nor does a sentence whose checksum is right and whose fields are anything."""
    with contextlib.suppress(RejectedError):
        parse(sentence(f"GP{kind},{fields}"))


@given(st.integers(-90 * 600_000, 90 * 600_000), st.integers(-180 * 600_000, 180 * 600_000))
def test_what_a_receiver_writes_is_what_is_read(south_to_north, west_to_east):
    """Every position in ten-thousandths of a minute comes back from its sentence."""
    latitude, longitude = divmod(abs(south_to_north), 600_000), divmod(abs(west_to_east), 600_000)
    written = (
        f"{latitude[0]:02}{latitude[1] / 10_000:07.4f},{'NS'[south_to_north < 0]},"
        f"{longitude[0]:03}{longitude[1] / 10_000:07.4f},{'EW'[west_to_east < 0]}"
    )
    fix = parse(sentence(f"GNGGA,000000,{written},4,12,0.6,,,,,,"))
    assert fix is not None
    assert fix.latitude_deg == pytest.approx(south_to_north / 600_000, abs=1e-9)
    assert fix.longitude_deg == pytest.approx(west_to_east / 600_000, abs=1e-9)


def test_gga_counts_where_both_come():
    """RMC, which does not say how exact it is, is left aside while GGA comes, and used when it is all there is."""
    reader = NmeaReader()
    assert reader.read(RMC, at(0)) is not None
    assert reader.read(GGA, at(1)) is not None
    assert reader.read(RMC, at(1)) is None
    assert reader.read(UBLOX_GLL, at(2)) is None
    assert reader.read(RMC, at(12)) is not None
