"""Zones and lines in the configuration: what is drawn wrong is named before anything starts."""

import re
from pathlib import Path

import pytest

from agent.config import load_config
from agent.errors import ConfigError

CAMERA = '[box]\nsite = "farm"\ndevice = "box-1"\n[[cameras]]\nname = "north"\nsource = "sim:orchard"\n'


def load(folder: Path, text: str):
    path = folder / "hedgerow.toml"
    path.write_text(CAMERA + text, encoding="utf-8")
    return load_config(path).cameras[0]


def zone(polygon: str, rest: str = "", name: str = "yard") -> str:
    return f'[[cameras.zones]]\nname = "{name}"\npolygon = {polygon}\n{rest}\n'


SQUARE = "[[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]"
LINE = '[[cameras.lines]]\nname = "gate"\npoints = [[0.1, 0.5], [0.9, 0.5]]\n'


def test_zones_and_lines_are_read(tmp_path: Path):
    """A zone and a line need a name and their points; the anchor is the centre unless said otherwise."""
    camera = load(tmp_path, zone(SQUARE, 'anchor = "bottom"\nloiter_s = 60\nsize_m = [6, 12]') + LINE)
    assert (camera.zones[0].anchor, camera.zones[0].loiter_s, camera.zones[0].size_m) == ("bottom", 60, (6, 12))
    assert (camera.lines[0].anchor, camera.lines[0].points) == ("centre", ((0.1, 0.5), (0.9, 0.5)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (zone("[[0.2, 0.2], [0.8, 0.8]]"), r"zones\.0\.polygon: .*at least 3"),
        (
            zone("[[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [640, 0.5]]"),
            r"polygon\.3\.0: found 640; .*less than or equal to 1",
        ),
        (zone("[[0.2, 0.2], [0.8, 0.8], [0.8, 0.2], [0.2, 0.8]]"), "polygon: its sides cross"),
        (zone("[[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.2]]"), "polygon: a corner follows itself; the last joins"),
        (zone("[[0.2, 0.2], [0.8, 0.2], [0.5, 0.2001]]"), "polygon: encloses nothing"),
        (zone("[[0.2, 0.2], [0.8, 0.2], [0.8, 0.8]]", "size_m = [6, 12]"), "size_m: needs a polygon of four corners"),
        (zone("[[0.2, 0.2], [0.8, 0.2], [0.3, 0.3], [0.2, 0.8]]", "size_m = [6, 12]"), "size_m: .*without a dent"),
        (zone(SQUARE, "size_m = [6, 0]"), r"size_m\.1: found 0; .*greater than 0"),
        (zone(SQUARE, 'anchor = "top"'), r"anchor: found 'top'; input should be 'centre' or 'bottom'"),
        (LINE.replace("0.9", "0.1"), r"lines\.0\.points: .*the two points are the same"),
        (
            zone(SQUARE) + zone(SQUARE),
            "cameras.0: zones and lines must have different names; used more than once: yard",
        ),
        (zone(SQUARE, name="gate") + LINE, "used more than once: gate"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, message: str):
    """A wrong outline stops the program with one line that says which, and what is wrong."""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert re.search(message, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)
