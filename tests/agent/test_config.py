"""The configuration: each mistake is named with its field, what was found and what is allowed."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent.config import Config, load_config
from agent.errors import ConfigError
from tests.conftest import ROOT

GOOD = '[box]\nsite = "farm"\ndevice = "box-1"\n[[cameras]]\nname = "north"\nsource = "sim:orchard"\n'
EXAMPLE = ROOT / "docs" / "hedgerow.example.toml"


def load(folder: Path, text: str) -> Config:
    path = folder / "hedgerow.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_smallest_configuration_has_sensible_defaults(tmp_path: Path):
    """Two names and a camera are enough."""
    config = load(tmp_path, GOOD)
    assert config.page.listen == "127.0.0.1"
    assert config.sync.broker is None
    assert config.cameras[0].fps == 5.0


@pytest.mark.parametrize(
    ("lines", "sampling", "fps"),
    [
        ("", "fps:5", 5),
        ("fps = 2\n", "fps:2", 2),
        ('sampling = "fps:0.5"\n', "fps:0.5", 0.5),
        ('sampling = "all"\n', "all", 25),
        ('sampling = "keyframes"\n', "keyframes", 0.25),
        ('sampling = "fps:7.5"\nfps = 7.5\n', "fps:7.5", 7.5),
    ],
)
def test_sampling_in_short_and_in_full(tmp_path: Path, lines: str, sampling: str, fps: float):
    """``fps = N`` is short for ``sampling = "fps:N"``: either gives both, and what was dumped can be read again."""
    camera = load(tmp_path, GOOD + lines).cameras[0]
    assert (camera.sampling, camera.fps) == (sampling, fps)
    assert type(camera).model_validate(camera.model_dump()) == camera


@pytest.mark.parametrize(
    ("source", "lines", "gated"),
    [
        ("rtsp://x/y", "", True),
        ("/dev/video0", "", True),
        ("sim:orchard", "", False),
        ("row.mp4", "", False),
        ("row.mp4", "motion.gate = true\n", True),
        ("rtsp://x/y", "motion.gate = false\n", False),
        ("rtsp://x/y", 'gps = "gpsd://localhost"\n', False),
        ("rtsp://x/y", "row = {}\n", False),
    ],
)
def test_the_gate_is_used_where_it_is_safe(tmp_path: Path, source: str, lines: str, gated: object):
    """By default live cameras that stand still are gated; recordings and cameras that move are not."""
    assert load(tmp_path, GOOD.replace("sim:orchard", source) + lines).cameras[0].gated is gated


def test_substream_is_what_is_watched(tmp_path: Path):
    """Without a sub-stream the camera's source is analysed; with one, that; a relative path of it is the file's."""
    assert load(tmp_path, GOOD).cameras[0].watched == "sim:orchard"
    assert load(tmp_path, GOOD + 'substream = "small.mp4"\n').cameras[0].watched == str(tmp_path / "small.mp4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "[page]\nprot = 1\n", r"page\.prot: unknown key"),
        (GOOD.replace("north", "North Row"), r"cameras\.0\.name: found 'North Row'; allowed: lower-case letters"),
        (GOOD + "fps = 0\n", r"cameras\.0\.fps: found 0; input should be greater than 0"),
        (GOOD + 'fps = "fast"\n', r"cameras\.0\.fps: found 'fast'; input should be a valid number"),
        (GOOD + 'sampling = "5"\n', r"cameras\.0\.sampling: found '5'; allowed: \"keyframes\", \"all\", or \"fps:N\""),
        (GOOD + 'sampling = "fps:-1"\n', r"cameras\.0\.sampling: found 'fps:-1'; allowed"),
        (GOOD + 'sampling = "fps:nan"\n', r"cameras\.0\.sampling: found 'fps:nan'; allowed"),
        (GOOD + "sampling = 5\n", r"cameras\.0\.sampling: found 5; input should be a valid string"),
        (GOOD + 'sampling = "all"\nfps = "fast"\n', r"cameras\.0\.fps: found 'fast'; input should be a valid number"),
        (GOOD + 'sampling = "all"\nfps = 5\n', r"cameras\.0: fps = 5 and sampling = 'all' exclude each other"),
        (GOOD + "row = {}\nmotion.gate = true\n", r"cameras\.0: motion.gate and row exclude each other"),
        (GOOD + 'substream = "ftp://x/y"\n', r"cameras\.0\.substream: found 'ftp://x/y'; scheme 'ftp'"),
        (
            GOOD.replace("sim:orchard", "ftp://x/y"),
            r"cameras\.0\.source: found 'ftp://x/y'; scheme 'ftp' is not known; allowed",
        ),
        (
            GOOD.replace("sim:orchard", "RTSP://x/y"),
            r"cameras\.0\.source: found 'RTSP://x/y'; scheme 'RTSP' is not known",
        ),
        (GOOD.replace("sim:orchard", "rtsp:/x/y"), r"cameras\.0\.source: found 'rtsp:/x/y'; no host is in it; allowed"),
        (GOOD.replace("[[cameras]]", "[cameras]"), r"cameras: found one table; .* each under \[\[cameras\]\]"),
        (GOOD + '[cameras.zones]\nname = "yard"\n', r"cameras\.0\.zones: found one table; .*\[\[cameras\.zones\]\]"),
        (
            GOOD + '[[cameras.zones]]\nname = "yard"\npolygon = [[0, 0], [1, 1]]\n',
            r"cameras\.0\.zones\.0\.polygon: too few .* allowed: at least 3",
        ),
        (GOOD.replace("sim:orchard", "a\\u0000b"), r"cameras\.0\.source: found 'a.x00b'; control characters"),
        (GOOD + '[sync]\npassword_file = "a"\n', r"sync: password_file needs a username beside it"),
        (GOOD.replace('site = "farm"\n', ""), r"box\.site: is missing"),
        ('[box]\nsite = "farm"\ndevice = "b"\n', r"cameras: is missing"),
        (GOOD + '[[cameras]]\nname = "north"\nsource = "x"\n', r"camera names must differ; used more than once: north"),
        (GOOD + '[page]\nlisten = "0.0.0.0"\n', r"page: listening beyond this machine needs page\.password_file"),
        (GOOD + '[page]\nlisten = "everywhere"\n', r"page: listen 'everywhere' is not an IP address; allowed"),
        (GOOD + '[sync]\nbroker = "tcp://x"\n', r"sync\.broker: found .tcp://x.; .*expected mqtt://HOST"),
        (
            GOOD + '[sync]\nbroker = "mqtt://user:pw@x"\n',
            r"sync\.broker: .*no user or password in it; give a user name and a password file",
        ),
        (GOOD + '[sync]\ncert_file = "a"\n', r"sync: cert_file and key_file belong together"),
        (
            GOOD + "[model]\nbackend = 'tpu'\n",
            r"model\.backend: found 'tpu'; input should be 'auto', 'openvino', 'onnxruntime' or 'ultralytics'",
        ),
        (GOOD + 'tiles = "2by2"\n', r"cameras\.0\.tiles: found '2by2'; allowed: auto, or columns and rows"),
        (GOOD + "weight = 0\n", r"cameras\.0\.weight: found 0; input should be greater than or equal to 0\.1"),
        (GOOD + "[model]\nname = 'a'\npath = 'b'\n", r"model: name and path exclude each other"),
        ("[box\n", r"is not valid TOML: .*line 1"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, message: str):
    """A wrong field stops the program with one line that says which, what and what instead."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert re.search(message, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        GOOD + '[sync]\nbroker = "mqtt://user:hunter2@x"\n',
        GOOD + '[sync]\nbroker = "mqtt://user:hun/ter2@x"\n',
        GOOD + '[sync]\nbroker = "http://x?password=hunter2"\n',
        GOOD.replace("sim:orchard", "ftp://user:hun/ter2@x/y"),
        GOOD.replace("sim:orchard", "RTSP://user:hunter2@x/y"),
        GOOD.replace("sim:orchard", "ftp://x/y?user=a&pwd=hunter2"),
    ],
)
def test_secret_in_an_address_is_not_repeated(tmp_path: Path, text: str):
    """A password that was written into an address does not end up in the log."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert not re.search("hun|ter2", str(error.value)), str(error.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path):
    """Two mistakes give two lines: nobody edits a file ten times."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD + "fps = 0\n[page]\nport = 70000\n")
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b"\xff\xfe", "is not UTF-8")])
def test_unreadable_file(tmp_path: Path, content: bytes | None, message: str):
    """A file that is absent or no text is one clear line."""
    path = tmp_path / "hedgerow.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_paths_are_relative_to_the_file(tmp_path: Path):
    """Where the daemon is started does not change what its configuration means."""
    text = GOOD.replace("sim:orchard", "videos/row.mp4") + '[model]\npath = "m.onnx"\n[storage]\ndata_dir = "/data"\n'
    config = load(tmp_path, text)
    assert config.cameras[0].source == str(tmp_path / "videos/row.mp4")
    assert config.model.path == tmp_path / "m.onnx"
    assert config.storage.data_dir == Path("/data")


def sections(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def test_example_file_is_valid():
    """The example in the documentation is a configuration that works."""
    config = load_config(EXAMPLE)
    assert {camera.name for camera in config.cameras} == {"north-row", "demo"}


def test_example_file_is_good_with_all_its_lines(tmp_path: Path):
    """Whoever uncomments every example gets a configuration, but for what is in place of something else."""
    text = EXAMPLE.read_text(encoding="utf-8")
    config = load(tmp_path, re.sub(r"^# (?=\[|[a-z_]+ = )(?!.*in place of)", "", text, flags=re.MULTILINE))
    assert config.cameras[0].zones
    assert config.cameras[0].farm.ripeness
    assert config.sync.windows
    assert config.bundle.cloud_key is not None


def test_example_file_shows_every_key_with_its_default(tmp_path: Path):
    """Every key that exists stands in the example, and what is commented out as a default is the default."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, section in sections(Config).items():
        body = text.split(f"[{name}]", 1)[1].split("\n[", 1)[0]
        shown = set(re.findall(r"^#? ?([a-z_]+) = ", body, re.MULTILINE))
        assert shown == set(section.model_fields), name
    defaults = re.sub(r"^# ([a-z_]+ = )(?!.*# example)", r"\1", text, flags=re.MULTILINE)
    assert load(tmp_path, defaults.replace("192.0.2.10", "192.0.2.10")) == load(tmp_path, text)


def test_cameras_with_alarms_weigh_more(tmp_path: Path):
    """Where time is short a camera with an alarm gets twice the share, unless its weight is given."""
    zone = '[[cameras.zones]]\nname = "yard"\npolygon = [[0, 0], [1, 0], [1, 1]]\n'
    assert load(tmp_path, GOOD).cameras[0].share_of_time == 1
    assert load(tmp_path, GOOD + zone).cameras[0].share_of_time == 1
    assert load(tmp_path, GOOD + zone + "loiter_s = 60\n").cameras[0].share_of_time == 2
    assert load(tmp_path, GOOD + "weight = 5\n" + zone + "loiter_s = 60\n").cameras[0].share_of_time == 5
