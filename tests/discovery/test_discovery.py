"""Cameras are found on a real network, loopback's, and asked over real HTTP."""

import json

import pytest

from agent.cli import main
from agent.discovery import Camera, Login, discover, probe, streams_of
from agent.errors import FatalError, RejectedError, RetryableError
from tests.discovery.cameras import LOOPBACK, Device, match, responding, serving, soap

NOW_NS = 1_700_000_000 * 10**9


def found(answers: list[str | bytes], port: int, login: Login | None = None) -> list[Camera]:
    with responding(answers, port):
        return discover([LOOPBACK], seconds=0.6, login=login, utc_ns=NOW_NS, group=("239.255.255.250", port))


def test_cameras_with_their_streams(free_port):
    """Two cameras that answer, one of them twice, are listed by name with their streams, without passwords."""
    north, south = Device(), Device()
    with serving(north) as north_url, serving(south) as south_url:
        answers = [match("urn:b", "South%20gate", south_url), match("urn:a", "North%20gate", f"ftp://x {north_url}")]
        cameras = found([*answers, answers[0]], free_port)
    assert [(camera.name, camera.hardware, camera.device_id) for camera in cameras] == [
        ("North gate", "HG-1", "urn:a"),
        ("South gate", "HG-1", "urn:b"),
    ]
    assert cameras[0].problem == ""
    main_stream, sub_stream = cameras[0].streams
    assert main_stream.address == f"rtsp://{LOOPBACK}:554/main?a=1&b=2"
    assert (main_stream.codec, main_stream.width, main_stream.height, main_stream.fps) == ("H264", 1920, 1080, 25)
    assert (sub_stream.profile, sub_stream.width) == ("sub stream", 640)


def test_login_by_the_cameras_own_clock():
    """The right password is accepted by a camera whose clock is years off; without it, that is said."""
    camera = Device(password="p<&>s")
    with serving(camera) as url:
        assert len(streams_of(url, Login("admin", "p<&>s"), utc_ns=NOW_NS)) == 2
        for login in (None, Login("admin", "wrong")):
            with pytest.raises(RejectedError, match="wants a login, or another one: --username"):
                streams_of(url, login, utc_ns=NOW_NS)
    assert "p<&>s" not in repr(Login("admin", "p<&>s"))


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"\x00\x01 no xml", "its answer is no XML"),
        (LAUGHS, "its answer defines entities"),
        (LAUGHS.decode().replace("?>", ' encoding="utf-16"?>').encode("utf-16"), "its answer is no XML"),
        (b" " * 1_000_001, "its answer is longer than a million bytes"),
    ],
)
def test_odd_answers_of_a_camera(free_port, answer, problem):
    """A camera that answers nonsense is listed with what is wrong; the others are listed with their streams."""
    odd, good = Device(broken={"GetProfiles": answer}), Device()
    with serving(odd) as odd_url, serving(good) as good_url:
        cameras = found([match("urn:a", "a", odd_url), match("urn:b", "b", good_url)], free_port)
    assert cameras[0].streams == ()
    assert cameras[0].problem.startswith(problem)
    assert len(cameras[1].streams) == 2


def test_what_a_camera_does_not_tell(free_port):
    """A camera without profiles has no streams; odd numbers in a profile are 0; one that is away does not answer."""
    odd = "<Width>many</Width><Height>-4</Height><FrameRateLimit>nan</FrameRateLimit>"
    profile = soap(f'<r><Profiles token="x">{odd}</Profiles></r>')
    with serving(Device(broken={"GetProfiles": soap("<r/>")})) as url:
        assert streams_of(url, None, utc_ns=NOW_NS) == []
    with serving(Device(broken={"GetProfiles": profile, "GetSystemDateAndTime": soap("<r/>")})) as url:
        (stream,) = streams_of(url, None, utc_ns=NOW_NS)
    assert (stream.profile, stream.codec, stream.width, stream.height, stream.fps) == ("x", "", 0, 0, 0.0)
    with pytest.raises(RetryableError, match="does not answer"):
        streams_of(f"http://{LOOPBACK}:{free_port}/x", None, utc_ns=NOW_NS)


def test_odd_datagrams(free_port):
    """Nonsense, answers to other questions, cameras without an address and escape codes in names harm nobody."""
    other = f"<E><RelatesTo>urn:other</RelatesTo>{match('urn:x', 'x', 'http://127.0.0.1/x')}</E>".encode()
    answers = [
        b"",
        b"\xff" * 60_000,
        LAUGHS,
        other,
        match("urn:y", "y", ""),
        match("urn:w", "w", "http://[bad http://x:y/ ://"),
        match("urn:z", "%1B%5B2Jz%0Az", "http://[::1]:1/z"),
    ]
    with responding(answers, free_port):
        devices = probe([LOOPBACK], seconds=0.5, group=("239.255.255.250", free_port))
    assert [(device.device_id, device.name) for device in devices] == [("urn:z", "[2Jz z")]


def test_nobody_answers(free_port):
    """A network without cameras is an empty list; an address that this machine does not have is named."""
    assert probe([LOOPBACK], seconds=0.2, group=("239.255.255.250", free_port)) == []
    with pytest.raises(FatalError, match=r"cannot ask the network from 203\.0\.113\.9"):
        probe(["203.0.113.9"], seconds=0.2)
    with pytest.raises(FatalError, match="cannot ask the network from gate"):
        probe(["gate"], seconds=0.2)


def test_the_command(capsys, tmp_path):
    """``hedgerow discover`` prints lines for a person, or JSON; a login needs both its parts."""
    with serving(Device()) as url, responding([match("urn:hedgerow-test", "Test%20gate", url)], 3702):
        assert main(["discover", "--interface", LOOPBACK, "--seconds", "0.5"]) == 0
        lines = capsys.readouterr().out
        assert main(["discover", "--interface", LOOPBACK, "--seconds", "0.5", "--json"]) == 0
        cameras = {camera["device_id"]: camera for camera in json.loads(capsys.readouterr().out)}
    assert f"rtsp://{LOOPBACK}:554/main?a=1&b=2  1920x1080  H264  25 fps  (main stream)" in lines
    assert cameras["urn:hedgerow-test"]["streams"][1]["width"] == 640
    assert main(["discover", "--username", "admin"]) == 1
    assert "--username and --password-file belong together" in capsys.readouterr().err


def test_a_media_service_elsewhere_is_not_asked():
    """A camera that sends the login to another host, or to no address at all, is asked at its own."""
    for elsewhere in ("http://203.0.113.9/media", "http://[bad", "file:///etc/passwd"):
        answer = soap(f"<r><Capabilities><Media><XAddr>{elsewhere}</XAddr></Media></Capabilities></r>")
        with serving(Device(broken={"GetCapabilities": answer})) as url:
            assert len(streams_of(url, None, utc_ns=NOW_NS)) == 2
