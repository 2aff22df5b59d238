"""Places from GeoJSON: what is right is read whole, what is wrong is named."""

import copy
import json
import re

import pytest

from agent.errors import ConfigError
from agent.places import PlaceKind, read_places
from tests.places.maps import FARM, collection, feature, line, polygon, square, write


def test_features_become_places(tmp_path):
    """Kind, full name, rings with their holes and width are those of the file, and in its order."""
    site, block, row, narrow = read_places(write(tmp_path, FARM))
    assert [place.name for place in (site, block, row)] == [
        "hill-farm",
        "hill-farm/block-a",
        "hill-farm/block-a/row-1",
    ]
    assert (site.kind, block.kind, row.kind) == (PlaceKind.SITE, PlaceKind.BLOCK, PlaceKind.ROW)
    assert [len(ring) for ring in block.parts[0]] == [5, 5]
    assert row.parts[0][0].tolist() == [[8.002, 60.002], [8.002, 60.003]]
    assert (row.width_m, narrow.width_m) == (None, 2.0)


def test_what_other_programs_add_is_left_aside(tmp_path):
    """Altitudes, ids, bounding boxes, further properties and a byte order mark, as map programs write, are allowed."""
    row = feature(line((8, 60, 431.5), (8, 60.001, 432)), name="Hügel/Reihe 1", kind="row", fid=3, width_m=None)
    data = {**collection({**row, "id": "x", "bbox": [8, 60, 8, 60.001]}), "name": "layer", "crs": None}
    path = tmp_path / "places.geojson"
    path.write_text(json.dumps(data), encoding="utf-8-sig")
    (place,) = read_places(path)
    assert (place.name, place.parts[0][0].shape) == ("Hügel/Reihe 1", (2, 2))


def test_crs_of_old_files_is_accepted_where_it_is_wgs84(tmp_path):
    """Map programs still write the coordinate system that RFC 7946 took out; the one it fixed is welcome."""
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert len(read_places(write(tmp_path, {**FARM, "crs": crs}))) == 4


BOX = polygon(square(8, 60, 0.01))
ROW = line((8, 60), (8, 60.001))
CRS = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", r"is not valid JSON: Expecting property name"),
        ("[" * 100_000, r"is not valid JSON"),
        ("[]", r"type: found list; allowed: 'FeatureCollection'"),
        (BOX, r"type: found 'Polygon'; allowed: 'FeatureCollection'"),
        (collection(), r"features: there are none"),
        ({"type": "FeatureCollection", "features": {}}, r"features: there are none"),
        ({**FARM, "crs": CRS}, r"crs: found 'urn:ogc:def:crs:EPSG::3857'; allowed: none, which means WGS 84"),
        (collection(7), r"feature 0: \(the feature\): found 7; input should be a valid dictionary"),
        (collection(BOX), r"feature 0: type: found 'Polygon'; input should be 'Feature'"),
        (collection({"type": "Feature", "geometry": BOX}), r"feature 0: properties: is missing"),
        (
            collection({**feature(BOX), "properties": None}),
            r"feature 0: properties: found None; input should be a valid",
        ),
        (collection(feature(BOX, kind="site")), r"feature 0: properties\.name: is missing"),
        (collection(feature(BOX, name="", kind="site")), r"feature 0: properties\.name: found ''; string should have"),
        (
            collection(feature(BOX, name="a", kind="field")),
            r"feature 0 \('a'\): properties\.kind: found 'field'; .*'site'",
        ),
        (collection(feature(BOX, name="a//b", kind="site")), r"properties\.name: found 'a//b'; allowed: words"),
        (collection(feature(BOX, name=" a", kind="site")), r"properties\.name: found ' a'; allowed: words"),
        (collection(feature(BOX, name="a\nb", kind="site")), r"properties\.name: found 'a\\nb'; allowed: words"),
        (collection(feature(BOX, name="x" * 257, kind="site")), r"properties\.name: found 'x+\.\.\.; .* at most 256"),
        (
            collection(feature(BOX, name="a", kind="site", width_m=3)),
            r"width_m: found 3\.0 for a site; allowed: only for",
        ),
        (
            collection(feature(ROW, name="a", kind="row", width_m=0)),
            r"width_m: found 0; input should be greater than 0",
        ),
        (
            collection(feature(ROW, name="a", kind="row", width_m="3")),
            r"width_m: found '3'; input should be a valid number",
        ),
        (collection(feature(None, name="a", kind="site")), r"geometry.*found None"),
        (
            collection(feature({"type": "Point", "coordinates": [8, 60]}, name="a", kind="row")),
            r"feature 0 \('a'\): geometry\.type: found 'Point'; allowed: 'Polygon', 'MultiPolygon' or 'LineString'",
        ),
        (collection(feature({"coordinates": []}, name="a", kind="row")), r"geometry\.type: found None; allowed"),
        (collection(feature(ROW, name="a", kind="block")), r"found 'LineString' for a block; allowed: 'Polygon' or"),
        (collection(feature(BOX, name="a", kind="row")), r"found 'Polygon' for a row; allowed: 'LineString'"),
        (
            collection(feature(line((8, 60)), name="a", kind="row")),
            r"coordinates: found \[\[8, 60\]\]; list should have at",
        ),
        (
            collection(feature(line((8, 60), (8, 60)), name="a", kind="row")),
            r"found one position only; allowed: two or more",
        ),
        (
            collection(feature(line((8,), (8, 60)), name="a", kind="row")),
            r"coordinates\.0: found \[8\]; list should have",
        ),
        (
            collection(feature(line(("8", 60), (8, 6)), name="a", kind="row")),
            r"coordinates\.0\.0: found '8'; input should",
        ),
        (collection(feature(line((True, 60), (8, 6)), name="a", kind="row")), r"coordinates\.0\.0: found True; input"),
        (
            collection(feature(line((float("nan"), 60), (8, 60)), name="a", kind="row")),
            r"\('a'\): geometry\.coordinates\.0\.0: found nan; input should be a finite number",
        ),
        (
            collection(feature(polygon([(8, 60), (8.01, 60), (8.01, 60.01), (8, 60.01)]), name="a", kind="site")),
            r"geometry\.coordinates\.0: found a ring that ends at \[8\.0, 60\.01\]; allowed: where it began, \[8",
        ),
        (
            collection(feature(polygon([(8, 60), (8.01, 60), (8, 60)]), name="a", kind="site")),
            r"geometry\.coordinates\.0: found 3 positions; allowed: a ring of 4 or more",
        ),
        (
            collection(feature(polygon([(8, 60), (8.1, 60.1), (8.2, 60.2), (8, 60)]), name="a", kind="site")),
            r"found a ring without area",
        ),
        (
            collection(feature({"type": "Polygon", "coordinates": []}, name="a", kind="site")),
            r"coordinates: found \[\]; list",
        ),
        (
            collection(feature(line((8, 60), (8, 91)), name="a", kind="row")),
            r"geometry\.coordinates\.1: found \[8\.0, 91\.0\]; allowed: longitude first, -180 to 180, then latitude",
        ),
        (collection(feature(line((900000, 6600000), (8, 9)), name="a", kind="row")), r"coordinates\.0: found \[900000"),
        (
            collection(feature(line((8, 60), (0, 0)), name="a", kind="row")),
            r"found \[0\.0, 0\.0\], far from \[8\.0, 60\.0\]",
        ),
        (
            collection(feature(BOX, name="a", kind="site"), feature(BOX, name="a", kind="block")),
            r"feature 0 \('a'\): properties\.name: found 'a' more than once; allowed: a name of its own",
        ),
        (
            collection(feature(BOX, name="b", kind="block", parent="farn")),
            r"feature 0 \('b'\): properties\.parent: found 'farn'; allowed: a full name in this file",
        ),
        (
            collection(feature(ROW, name="r", kind="row"), feature(BOX, name="b", kind="block", parent="r")),
            r"properties\.parent: found a row for a block; allowed: a wider kind",
        ),
    ],
)
def test_mistake_is_named(tmp_path, data, message):
    """A wrong file is refused with its path, the feature, what was found and what is allowed."""
    path = write(tmp_path, data)
    with pytest.raises(ConfigError) as error:
        read_places(path)
    assert str(error.value).startswith(f"places {path}: ")
    assert re.search(message, str(error.value)), str(error.value)


def test_same_full_name_in_two_ways(tmp_path):
    """A path that is written out and one that is put together from a parent are the same name."""
    again = feature(ROW, name="row-1", kind="row", parent="hill-farm/block-a")
    with pytest.raises(ConfigError, match="found 'hill-farm/block-a/row-1' more than once"):
        read_places(write(tmp_path, collection(*FARM["features"], again)))


def test_many_mistakes_are_named_together_but_not_without_end(tmp_path):
    """Each wrong feature has a line, up to ten; the rest is a number."""
    bad = copy.deepcopy(FARM["features"][2])
    bad["geometry"]["coordinates"][0] = [8, 100]
    features = [{**bad, "properties": {"name": f"row-{n}", "kind": "row"}} for n in range(14)]
    with pytest.raises(ConfigError) as error:
        read_places(write(tmp_path, collection(*features)))
    lines = str(error.value).splitlines()
    assert len(lines) == 11
    assert "feature 9 ('row-9')" in lines[9]
    assert lines[10].endswith("and 4 more")


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b"\xff\xfe{}", "is not UTF-8")])
def test_unreadable_file(tmp_path, content, message):
    """A file that is absent or no text is one clear line."""
    path = tmp_path / "places.geojson"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_places(path)
