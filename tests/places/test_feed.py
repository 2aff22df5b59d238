"""Positions from receivers that come and go: gpsd, a serial line, a recorded file."""

import contextlib
import json
import socket
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clock import ManualClock, SystemClock
from agent.config import CameraConfig, PlacesConfig
from agent.errors import ConfigError, RejectedError
from agent.places import Position, PositionFeed, RecordedTrack, create_feeds
from agent.places.gpsd import GpsdLink, GpsdReader
from agent.types import Instant
from cloud_sync.mqtt import Backoff
from tests.places.receivers import GpsdServer, SerialLine, running
from tests.places.test_nmea import GGA, sentence
from tests.waiting import eventually

TPV = {"class": "TPV", "device": "/dev/ttyACM0", "mode": 3, "lat": 60.0025, "lon": 8.002, "eph": 1.5}
NOW = Instant(utc_ns=10**18, monotonic_ns=10**12, boot=1)


def quick() -> Backoff:
    return Backoff(first_s=0.05, most_s=0.1)


def gpsd_feed(port: int, clock, **settings) -> PositionFeed:
    return PositionFeed("gpsd", lambda: GpsdLink("127.0.0.1", port), GpsdReader, clock, backoff=quick(), **settings)


def feed_of(gps: str, *, clock=None, **camera):
    config = CameraConfig(name="cart", source="sim:orchard", gps=gps, **camera)
    return create_feeds([config], PlacesConfig(), clock or SystemClock(boot=1))[gps]


def gga(time: str, minutes: float, quality: int = 4) -> bytes:
    return sentence(f"GNGGA,{time},60{minutes:07.4f},N,00800.0000,E,{quality},12,0.6,100,M,40,M,,") + b"\r\n"


@pytest.mark.parametrize(
    ("changes", "accuracy_m"),
    [
        ({}, 1.5),
        ({"mode": 2}, 1.5),
        ({"eph": None, "epx": 3, "epy": 4}, 5.0),  # 3, 4, 5
        ({"eph": None, "epx": 3}, None),
        ({"eph": None}, None),
        ({"status": 2}, 1.5),
        ({"status": 3, "eph": 19.0}, 0.05),  # fixed RTK: what gpsd estimates is for receivers without it
        ({"status": 4, "eph": None}, 0.5),
        ({"status": 3, "eph": 0.014}, 0.014),
    ],
)
def test_report_of_gpsd(changes, accuracy_m):
    """A report with a fix is a position, as exact as gpsd says where it says so."""
    position = GpsdReader().read(json.dumps({**TPV, **changes}).encode(), NOW)
    assert position == Position(NOW, 60.0025, 8.002, accuracy_m)


@pytest.mark.parametrize(
    "report",
    [
        {**TPV, "mode": 1},
        {**TPV, "mode": 0},
        {"class": "TPV", "mode": 3},
        {"class": "SKY", "satellites": []},
        {"class": "ERROR", "message": "?"},
        {},
    ],
)
def test_report_without_a_position(report):
    """A receiver that knows no position, and reports of other things, are understood and tell none."""
    assert GpsdReader().read(json.dumps(report).encode(), NOW) is None


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\xff",
        b"7",
        b"[]",
        b'"TPV"',
        json.dumps({**TPV, "lat": 91}).encode(),
        json.dumps({**TPV, "lat": "60"}).encode(),
        json.dumps({**TPV, "lon": True}).encode(),
        json.dumps({**TPV, "lat": float("nan")}).encode(),
        b"[" * 100_000,
    ],
)
def test_garbage_from_gpsd_is_refused(line):
    """What is no report, or has an impossible position, raises, so that it can be counted."""
    with pytest.raises(RejectedError):
        GpsdReader().read(line, NOW)


ODD_VALUES = st.sampled_from([None, True, [], {}, "", "60", 10**400, 1e308, 2, 3]) | st.integers() | st.floats()


@given(st.dictionaries(st.sampled_from([*TPV, "status", "epx"]), ODD_VALUES))
def test_any_report_is_read_or_refused(changes):
    """No report whatever raises anything but a refusal."""
    with contextlib.suppress(RejectedError):
        GpsdReader().read(json.dumps({**TPV, **changes}).encode(), NOW)


def test_position_grows_old():
    """The latest position is given until it is older than allowed, for another moment of its boot, and never after."""
    clock = ManualClock(monotonic_ns=10**12)
    with GpsdServer() as server:
        feed = gpsd_feed(server.port, clock, max_age_s=10)
        assert feed.latest(clock.now()) is None
        with running(feed):
            eventually(lambda: server.watched)
            server.report({**TPV, "mode": 1}, TPV)
            eventually(lambda: feed.latest(clock.now()) is not None)
            assert feed.latest(clock.now()) == Position(clock.now(), 60.0025, 8.002, 1.5)
            assert feed.status().detail == ""
            clock.advance(10)
            assert feed.latest(clock.now()) is not None
            now = clock.now()
            assert feed.latest(Instant(now.utc_ns, now.monotonic_ns, boot=2)) is None
            clock.step_utc(-3600)
            assert feed.latest(clock.now()) is not None
            clock.advance(0.001)
            assert feed.latest(clock.now()) is None
            assert feed.status().detail == "the receiver finds no position"


def test_feed_comes_back_after_a_cut():
    """When gpsd goes and comes again, on the same port, positions go on by themselves, and the reconnect is counted."""
    clock = SystemClock(boot=1)
    with GpsdServer() as server:
        feed = gpsd_feed(server.port, clock)
        with running(feed):
            eventually(lambda: server.watched)
            server.report(TPV)
            eventually(lambda: feed.status().positions == 1)
            server.cut()
            eventually(lambda: server.connections == 2)
            server.report({**TPV, "lat": 60.5})
            eventually(lambda: feed.status().positions == 2)
            position = feed.latest(clock.now())
            assert position is not None
            assert position.latitude_deg == 60.5
            assert feed.status().reconnects == 1


def test_nobody_listens_and_then_somebody_does(free_port):
    """A gpsd that starts after the box is found when it is there; until then the status says what is wrong."""
    feed = gpsd_feed(free_port, SystemClock(boot=1))
    with running(feed):
        eventually(lambda: feed.status().detail == "Connection refused")
        assert not feed.status().connected
        with GpsdServer(free_port) as server:
            eventually(lambda: server.watched)
            server.report(TPV)
            eventually(lambda: feed.status().positions == 1)


def test_silent_connection_is_opened_anew():
    """A connection on which nothing comes any more, as after a lost network, is given up and opened again."""
    clock = ManualClock()
    with GpsdServer() as server:
        feed = gpsd_feed(server.port, clock, silence_s=30)
        with running(feed):
            eventually(lambda: server.watched)
            server.report(TPV)
            eventually(lambda: feed.status().positions == 1)
            clock.advance(31)
            eventually(lambda: not feed.status().connected)
            assert feed.status().detail == "nothing came for 30 s"
            clock.advance(1)
            eventually(lambda: server.connections == 2)


def test_silent_gpsd_is_asked(require, free_port):
    """The real gpsd, whose receiver is silent, answers when it is asked after a quiet time: the connection is alive."""
    line = SerialLine()
    with subprocess.Popen([require("gpsd"), "-N", "-n", "-S", str(free_port), line.path]) as gpsd:
        try:
            eventually(lambda: listens(free_port))
            link = GpsdLink("127.0.0.1", free_port, ask_after_s=0.5)
            read_until(link, b'"class":"WATCH"')  # its greeting, which has its version too, is over
            read_until(link, b'"class":"VERSION"')
            link.close()
        finally:
            gpsd.kill()
            line.unplug()


def read_until(link: GpsdLink, expected: bytes) -> None:
    """Read until something comes, for at most ten seconds."""
    came = b""
    for _ in range(100):
        came += link.read(0.1)
        if expected in came:
            return
    pytest.fail(f"found {came!r}; expected {expected!r}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_garbage_is_counted_and_left_out():
    """Lines that are garbage, cut in pieces or without an end neither stop the feed nor fill the memory."""
    with GpsdServer() as server:
        feed = gpsd_feed(server.port, SystemClock(boot=1))
        with running(feed):
            eventually(lambda: server.watched)
            server.send(b"\xff\xfe garbage\n\n{}\r\n")
            eventually(lambda: feed.status().skipped == 1)
            server.send(b"x" * 100_000)
            eventually(lambda: feed.status().skipped >= 2)
            line = json.dumps(TPV).encode()
            server.send(b"\n" + line[:30])
            server.send(line[30:] + b"\n")
            eventually(lambda: feed.status().positions == 1)


def test_serial_line_is_read_and_comes_back():
    """A receiver on a serial line is read raw; unplugged, it is away, and its path is tried again."""
    line = SerialLine()
    feed = feed_of(f"{line.path}?baud=38400")
    with running(feed):
        eventually(lambda: feed.status().connected)
        line.write(GGA[30:] + b"\r\n" + GGA + b"\r\n" + GGA[:20])
        eventually(lambda: feed.status().positions == 1)
        line.write(GGA[20:] + b"\r\n")
        eventually(lambda: feed.status().positions == 2)
        assert feed.status().skipped == 1
        line.unplug()
        eventually(lambda: not feed.status().connected)
        assert feed.status().detail


def test_device_that_is_not_there_is_waited_for():
    """A device's path that does not exist yet is no mistake: it is plugged in later."""
    feed = feed_of("/dev/hedgerow-no-such-receiver")
    with running(feed):
        eventually(lambda: feed.status().detail == "No such file or directory")


def test_cameras_of_one_vehicle_share_a_receiver():
    """Two cameras that name the same receiver get one feed: a serial line cannot be read twice."""
    cameras = [CameraConfig(name=name, source="sim:orchard", gps="gpsd://127.0.0.1") for name in ("left", "right")]
    fixed = CameraConfig(name="gate", source="sim:orchard")
    assert list(create_feeds([*cameras, fixed], PlacesConfig(), SystemClock())) == ["gpsd://127.0.0.1"]


@pytest.fixture
def track(tmp_path):
    """Ten seconds over midnight with a gap of a minute, a line of garbage, and sentences without a position."""
    lines = [gga("235958.00", 0), gga("235959.00", 1), b"$GPGGA,garbage\r\n", b"\r\n", gga("000000.00", 2)]
    lines += [gga("000001.00", 0, quality=0), gga("000101.00", 3), gga("000102.00", 4)]
    path = tmp_path / "row.nmea"
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize(
    ("passed_s", "minutes"),
    [(0, 0), (0.9, 0), (1, 1), (2, 2), (12, 2), (12.1, None), (62.9, None), (63, 3), (64, 4), (74, 4), (74.1, None)],
)
def test_recorded_track(track, passed_s, minutes):
    """A file gives the position of its own time, by the time passed since it was first asked; none in a gap."""
    clock = ManualClock(monotonic_ns=5)
    feed = feed_of(str(track), clock=clock)
    first = feed.latest(clock.now())
    assert first is not None
    assert (first.latitude_deg, first.longitude_deg) == (60, 8)
    clock.advance(passed_s)
    position = feed.latest(clock.now())
    assert (position and position.latitude_deg) == (None if minutes is None else pytest.approx(60 + minutes / 60))
    assert (feed.status().positions, feed.status().skipped) == (5, 1)


def test_recorded_track_starts_again_with_its_video(track):
    """The track of a camera that loops starts again at its end."""
    clock = ManualClock()
    feed = feed_of(str(track), clock=clock, loop=True)
    feed.latest(clock.now())
    clock.advance(64 + 1.5)
    position = feed.latest(clock.now())
    assert position is not None
    assert position.latitude_deg == pytest.approx(60 + 1 / 60)


def test_recorded_track_needs_no_thread(track):
    """Its run returns at once, so that its thread counts as done."""
    beats: list[int] = []
    RecordedTrack(track).run(threading.Event(), lambda: beats.append(1))
    assert beats


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nothing\n", "found no position with a time in"),
        (b"", "found no position"),
        (None, "cannot read .*No such file"),
    ],
)
def test_useless_track_is_a_wrong_configuration(tmp_path, content, message):
    """A file that is absent, or holds no position, stops before anything starts."""
    path = tmp_path / "row.nmea"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        feed_of(str(path))


def test_real_gpsd(require, free_port):
    """The real gpsd, which reads a receiver on a serial line, is followed; also after it was killed and came back."""
    program = [require("gpsd"), "-N", "-n", "-S", str(free_port)]
    line = SerialLine()
    stop = threading.Event()
    speaker = threading.Thread(target=speak, args=(line, stop))
    speaker.start()
    feed = PositionFeed(
        "gpsd",
        lambda: GpsdLink("127.0.0.1", free_port),
        GpsdReader,
        SystemClock(boot=1),
        backoff=Backoff(first_s=0.2, most_s=0.2),
    )
    try:
        with running(feed):
            for round_ in (1, 2):
                follow_until_killed([*program, line.path], feed)
                assert feed.status().reconnects == round_
            position = feed.latest(SystemClock(boot=1).now())
    finally:
        stop.set()
        speaker.join(5)
        line.unplug()
    assert position is not None
    assert (position.latitude_deg, position.longitude_deg) == pytest.approx((48.1173, 11.516667), abs=1e-5)


def follow_until_killed(program: list[str], feed: PositionFeed) -> None:
    """Start gpsd, wait until the feed has a new position from it, and kill it."""
    before = feed.status().positions
    with subprocess.Popen(program) as gpsd:
        eventually(lambda: feed.status().positions > before, within_s=30)
        gpsd.kill()
    eventually(lambda: not feed.status().connected)


def speak(line: SerialLine, stop: threading.Event) -> None:
    """Be a receiver: three sentences, ten times a second, with the time going on."""
    for n in range(100_000):
        if stop.wait(0.1):
            return
        time = f"12{n // 600 % 60:02}{n // 10 % 60:02}.{n % 10}0"
        line.write(sentence(f"GPGGA,{time},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,") + b"\r\n")
        line.write(sentence("GPGSA,A,3,04,05,09,12,24,25,29,31,,,,,1.8,0.9,1.5") + b"\r\n")
        line.write(sentence(f"GPRMC,{time},A,4807.038,N,01131.000,E,000.0,084.4,010126,,,A") + b"\r\n")
