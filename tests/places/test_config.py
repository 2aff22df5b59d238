"""Configuration of places and receivers: what is wrong is named."""

import re

import pytest

from agent.config import Config, load_config
from agent.errors import ConfigError
from agent.receiver import GpsdAddress, NmeaPath, parse_receiver

GOOD = '[box]\nsite = "farm"\ndevice = "box-1"\n[places]\ngeojson = "farm.geojson"\n'
CAMERA = '[[cameras]]\nname = "north"\nsource = "sim:orchard"\n'


def load(folder, text: str) -> Config:
    path = folder / "hedgerow.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


@pytest.mark.parametrize(
    ("text", "receiver"),
    [
        ("gpsd://localhost", GpsdAddress("localhost", 2947)),
        ("gpsd://192.0.2.1:2948/", GpsdAddress("192.0.2.1", 2948)),
        ("gpsd://[2001:db8::1]:2948", GpsdAddress("2001:db8::1", 2948)),
        ("/dev/ttyACM0", NmeaPath("/dev/ttyACM0", 9600)),
        ("/dev/serial/by-id/usb-u-blox_7:1", NmeaPath("/dev/serial/by-id/usb-u-blox_7:1")),
        ("/dev/ttyUSB0?baud=115200", NmeaPath("/dev/ttyUSB0", 115200)),
        ("drive/row 1.nmea", NmeaPath("drive/row 1.nmea")),
    ],
)
def test_receivers(text, receiver):
    """An address of gpsd, a device with or without its speed, and a file are told apart."""
    assert parse_receiver(text) == receiver


@pytest.mark.parametrize(
    ("gps", "message"),
    [
        ("", r"cameras\.0\.gps: found ''; allowed: gpsd://HOST"),
        (
            "tcp://x",
            r"cameras\.0\.gps: found 'tcp://x'; scheme 'tcp' is not known; allowed: gpsd://HOST\[:PORT\], a dev",
        ),
        ("gpsd://", r"cameras\.0\.gps: found 'gpsd://'; not a host and a port alone; allowed"),
        ("gpsd://x:0", r"not a host and a port alone"),
        ("gpsd://x:70000", r"no address: Port out of range"),
        ("gpsd://x:y", r"no address: Port could not be cast"),
        ("gpsd://x/device", r"not a host and a port alone"),
        ("gpsd://u:hunter2@x", r"found 'gpsd://u:\*\*\*@x'; not a host and a port alone"),
        ("/dev/ttyS0?speed=9600", r"option 'speed=9600' is not known; allowed: baud= one of 4800, 9600"),
        ("/dev/ttyS0?baud=9601", r"option 'baud=9601' is not known"),
    ],
)
def test_wrong_receiver_is_named(tmp_path, gps, message):
    """A receiver that is none is refused with its field, what was found and what is allowed, and without a password."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, f'{GOOD}{CAMERA}gps = "{gps}"\n')
    assert re.search(message, str(error.value)), str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + CAMERA + 'place = "a"\ngps = "/dev/ttyS0"\n', r"cameras\.0: place and gps exclude each other"),
        (
            GOOD.replace('geojson = "farm.geojson"', "") + CAMERA + 'place = "a"\n',
            r"camera north needs places\.geojson",
        ),
        (GOOD + "row_distance_m = 0\n" + CAMERA, r"places\.row_distance_m: found 0; input should be greater than 0"),
        (GOOD + "worst_accuracy_m = -1\n" + CAMERA, r"places\.worst_accuracy_m: found -1"),
        (GOOD + "position_max_age_s = 0.1\n" + CAMERA, r"places\.position_max_age_s: found 0\.1"),
    ],
)
def test_mistake_is_named(tmp_path, text, message):
    """What does not go together, or is out of range, is one line."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert re.search(message, str(error.value)), str(error.value)


def test_paths_are_relative_to_the_file(tmp_path):
    """Files of places and tracks lie where the configuration says, wherever the daemon is started."""
    config = load(
        tmp_path, f'{GOOD}{CAMERA}gps = "row.nmea"\n{CAMERA.replace("north", "b")}gps = "/dev/ttyS0?baud=4800"\n'
    )
    assert config.places.geojson == tmp_path / "farm.geojson"
    assert [camera.gps for camera in config.cameras] == [str(tmp_path / "row.nmea"), "/dev/ttyS0?baud=4800"]
    address = load(tmp_path, f'{GOOD}{CAMERA}gps = "gpsd://localhost"\n')
    assert address.cameras[0].gps == "gpsd://localhost"
