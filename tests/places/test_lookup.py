"""From a position to the most specific place, with distances worked by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import PlacesConfig
from agent.errors import ConfigError
from agent.places import Assignment, Place, PlaceKind, Places, Unplaced, assign
from agent.places.lookup import contains, distance_to_line_m
from tests.places.maps import FARM, collection, feature, line, polygon, square, write

BLOCK, ROW_1, ROW_2 = "hill-farm/block-a", "hill-farm/block-a/row-1", "hill-farm/block-a/row-2"


def load(folder: Path, data, **config) -> Places:
    return Places.load(PlacesConfig(geojson=write(folder, data), **config))


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "place"),
    [
        (60.0025, 8.002, ROW_1),
        # Snyder's formula with R = 6 371 008.8 m, 60.002 degrees north: 0.00001 degrees east are 0.55595 m
        (60.0025, 8.00195, ROW_1),  # 2.780 m west of the line, within 3 m
        (60.0025, 8.00194, BLOCK),  # 3.336 m
        (60.0025, 8.00204, ROW_1),  # 2.224 m, and 3.336 m from row 2
        (60.0025, 8.00206, BLOCK),  # 3.336 m from row 1 and 2.224 m from row 2, which is only 1 m wide to each side
        (60.0025, 8.002085, ROW_2),  # 0.834 m
        (60.00302, 8.002, ROW_1),  # 2.224 m beyond its end
        (60.00303, 8.002, BLOCK),  # 3.336 m beyond its end
        (60.0015, 8.0015, BLOCK),
        (60.0042, 8.0042, "hill-farm"),  # in the pond that is cut out of the block
        (60.008, 8.008, "hill-farm"),
        (60.02, 8.008, ""),
        (-60.0025, 8.002, ""),
        (60.0025, -8.002, ""),
    ],
)
def test_most_specific_place(tmp_path, latitude_deg, longitude_deg, place):
    """The nearest row within its reach, else the block around, else the site, else no place."""
    assert load(tmp_path, FARM).find(latitude_deg, longitude_deg) == place


@pytest.mark.parametrize(
    ("accuracy_m", "place"),
    [
        (None, ROW_1),
        (0.02, ROW_1),
        (3.0, ROW_1),
        (3.01, BLOCK),
        (25.0, BLOCK),
        (25.1, ""),
        (math.nan, ""),
        (math.inf, ""),
    ],
)
def test_vague_position_names_no_row(tmp_path, accuracy_m, place):
    """A position less exact than a row is wide to each side names the block, and a very vague one names nothing."""
    assert load(tmp_path, FARM).find(60.0025, 8.002, accuracy_m) == place


def test_distance_and_accuracy_are_configured(tmp_path):
    """A row without a width of its own reaches as far as configured; how vague is too vague is configured, too."""
    places = load(tmp_path, FARM, row_distance_m=5.0, worst_accuracy_m=4.0)
    assert places.find(60.0025, 8.00194, 4.0) == ROW_1
    assert places.find(60.0025, 8.00194, 4.1) == ""


@pytest.mark.parametrize(("latitude_deg", "longitude_deg"), [(90.1, 0), (0, -180.1), (math.nan, 0), (0, math.inf)])
def test_no_position(tmp_path, latitude_deg, longitude_deg):
    """What is not on the earth is refused rather than found nowhere."""
    with pytest.raises(ValueError, match="allowed: latitude -90 to 90"):
        load(tmp_path, FARM).find(latitude_deg, longitude_deg)


def test_without_a_file_there_are_no_places():
    """No file means no places, and every position is in none."""
    places = Places.load(PlacesConfig())
    assert (places.names, places.find(60, 8)) == ((), "")


def test_file_is_named_when_it_is_wrong(tmp_path):
    """A file that is not there stops before anything starts."""
    with pytest.raises(ConfigError, match=r"cannot read places .*none\.geojson: No such file"):
        Places.load(PlacesConfig(geojson=tmp_path / "none.geojson"))


def test_smaller_block_wins(tmp_path):
    """Where blocks overlap, as a trial plot within an orchard does, the smaller is the more specific."""
    large = feature(polygon(square(8, 60, 0.01)), name="orchard", kind="block")
    small = feature(polygon(square(8.002, 60.002, 0.001)), name="trial", kind="block")
    for features in ((large, small), (small, large)):
        places = load(tmp_path, collection(*features))
        assert (places.find(60.0025, 8.0025), places.find(60.005, 8.005)) == ("trial", "orchard")


def test_shared_border_belongs_to_one(tmp_path):
    """A position on the border between two blocks is in exactly one of them: no place is lost between."""
    west = feature(polygon(square(8, 60, 0.01)), name="west", kind="block")
    east = feature(polygon(square(8.01, 60, 0.01)), name="east", kind="block")
    assert load(tmp_path, collection(west, east)).find(60.005, 8.01) in {"west", "east"}


def test_parts_of_a_multipolygon(tmp_path):
    """A block in two parts across a road contains what is in either, and not the road."""
    parts = {"type": "MultiPolygon", "coordinates": [[square(8, 60, 0.001)], [square(8.002, 60, 0.001)]]}
    places = load(tmp_path, collection(feature(parts, name="b", kind="block")))
    assert [places.find(60.0005, east) for east in (8.0005, 8.0015, 8.0025)] == ["b", "", "b"]


def test_across_the_antimeridian(tmp_path):
    """A farm on both sides of 180 degrees is one place, cut there as RFC 7946 asks, or drawn across."""
    across = [(179.999, -17), (-179.999, -17), (-179.999, -16.999), (179.999, -16.999), (179.999, -17)]
    cut = [[square(179.999, -17, 0.001)], [square(-180, -17, 0.001)]]
    for geometry in (polygon(across), {"type": "MultiPolygon", "coordinates": cut}):
        row = feature(line((179.9999, -16.9995), (-179.9999, -16.9995)), name="row", kind="row")
        places = load(tmp_path, collection(feature(geometry, name="taveuni", kind="site"), row))
        assert [places.find(-16.9993, east) for east in (179.9995, -179.9995, 0)] == ["taveuni", "taveuni", ""]
        assert [places.find(-16.9995, east) for east in (179.99995, 180, -180, -179.99995)] == ["row"] * 4


@pytest.mark.parametrize(
    ("point", "distance_m"),
    [
        ((1, 1.5), 1.5),  # above the first segment, 2 from the other
        ((-3, 4), 5.0),  # beyond its start: 3, 4, 5
        ((3, -1), 1.0),
        ((4, 1), 1.0),  # beside the second
        ((3, 7), 3.0),  # beyond its end
        ((3, 0), 0.0),  # the corner, where a segment has no length
    ],
)
def test_distance_to_a_line(point, distance_m):
    """Distances to a line from (0, 0) to (3, 0) to (3, 4), with a point given twice, are those of school geometry."""
    segments = np.array([[[0, 0], [3, 0]], [[3, 0], [3, 0]], [[3, 0], [3, 4]]], np.float64)
    assert distance_to_line_m(np.array(point, np.float64), segments) == pytest.approx(distance_m)


def convex(angles: list[float], radius: float, centre: tuple[float, float]) -> np.ndarray:
    """Corners on an ellipse: each such polygon is convex."""
    turns = np.sort(np.array(angles))
    return np.stack([centre[0] + radius * np.cos(turns), centre[1] + 0.6 * radius * np.sin(turns)], axis=1)


@given(
    angles=st.lists(st.integers(0, 359), min_size=3, max_size=12, unique=True),
    weights=st.lists(st.floats(0.05, 1), min_size=12, max_size=12),
    longitude_deg=st.floats(-180, 180),
    latitude_deg=st.floats(-80, 80),
)
def test_mixture_of_corners_is_inside_a_convex_block(angles, weights, longitude_deg, latitude_deg):
    """A weighted mean of all corners of a convex polygon is inside of it; one beyond all corners is not. Anywhere."""
    corners = convex([math.radians(angle) for angle in angles], 0.01, (0, 0))
    ring = np.concatenate([corners, corners[:1]]) + np.array([longitude_deg, latitude_deg])
    ring[:, 0] = (ring[:, 0] + 180) % 360 - 180
    places = Places([Place("block", PlaceKind.BLOCK, ((ring,),))])
    share = np.array(weights[: len(angles)]) / sum(weights[: len(angles)])
    inside = share @ corners + (longitude_deg, latitude_deg)
    outside = 1.01 * corners[0] + (longitude_deg, latitude_deg)
    assert places.find(inside[1], (inside[0] + 180) % 360 - 180) == "block"
    assert places.find(outside[1], (outside[0] + 180) % 360 - 180) == ""


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_even_and_odd(x, y):
    """A ring with a hole contains what is in the outer square and not in the inner one, off the borders."""
    outer, inner = np.array(square(-2, -2, 4)), np.array(square(-1, -1, 2))
    edges = np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in (outer, inner)])
    farthest = max(abs(x), abs(y))
    if min(abs(farthest - 1), abs(farthest - 2)) > 1e-9:
        assert contains(np.array([x, y]), edges) == (1 < farthest < 2)


def test_windows_are_assigned_by_their_means(tmp_path):
    """Windows without a place get the one at their mean position; those in none, or too vague, stay as they are."""
    windows = [
        Unplaced("cart", 60, 60, 60.0025, 8.002),
        Unplaced("cart", 120, 60, 10.0, 8.0),
        Unplaced("cart", 180, 60, 60.0025, 8.002, accuracy_m=8.0),
        Unplaced("cart", 240, 60, 60.0025, 8.002, accuracy_m=80.0),
    ]
    assert assign(windows, load(tmp_path, FARM)) == [
        Assignment("cart", 60, 60, ROW_1),
        Assignment("cart", 180, 60, BLOCK),
    ]
