"""From a position to the most specific place: the row beside it, else the block around it, else the site.

Each place is laid out flat around a point of its own, in metres, x to the east and y to the north:
x = R cos(phi0) (lambda - lambda0), y = R (phi - phi0).

Source: Snyder, Map Projections: A Working Manual, USGS Professional Paper 1395, 1987, page 90 (Equidistant
Cylindrical); R is the mean radius of the earth, Moritz, Geodetic Reference System 1980, Journal of Geodesy 74, 2000.
Against the ellipsoid a distance is wrong by up to 0.6%: 2 cm in 3 m.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agent.config import PlacesConfig
from agent.places.geojson import Line, Place, PlaceKind, read_places

EARTH_RADIUS_M = 6_371_008.8
_M_PER_DEG = EARTH_RADIUS_M * math.pi / 180

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A window of a camera without a place, whose mean position is known.

    ``accuracy_m`` is the mean of what was thought of its positions, None where nothing is known.
    """

    camera: str
    window_start_s: int
    window_s: int
    latitude_deg: float
    longitude_deg: float
    accuracy_m: float | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The place that a window of a camera gets, in all its zones and classes."""

    camera: str
    window_start_s: int
    window_s: int
    place: str


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """A place, laid out flat around its origin."""

    place: Place
    origin_deg: tuple[float, float]  # longitude, latitude
    polygons: tuple[Floats, ...]  # each (E, 2, 2): the edges of all its rings; of a row: its one line
    reach_m: float  # of a row: how far from its line a position belongs to it
    area_m2: float


class Places:
    """All places, for looking up. Does not change; safe to share between threads."""

    def __init__(
        self, places: Iterable[Place] = (), *, row_distance_m: float = 3.0, worst_accuracy_m: float = 25.0
    ) -> None:
        """Lay the places out.

        Args:
            places: With names of their own.
            row_distance_m: How far from a row's line a position belongs to it, where the row says no width.
            worst_accuracy_m: A position less exact than this is in no place.
        """
        self._shapes = [_lay_out(place, row_distance_m) for place in places]
        self._worst_accuracy_m = worst_accuracy_m
        self._origins_deg = np.array([shape.origin_deg for shape in self._shapes], np.float64).reshape(-1, 2)
        self._bounds_m = np.array([_bounds(shape) for shape in self._shapes], np.float64).reshape(-1, 4)

    @classmethod
    def load(cls, config: PlacesConfig) -> Self:
        """Read the file that the configuration names; without one there are no places.

        Raises:
            ConfigError: The file cannot be read, or something in it is wrong.
        """
        places = read_places(config.geojson) if config.geojson else ()
        return cls(places, row_distance_m=config.row_distance_m, worst_accuracy_m=config.worst_accuracy_m)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of the file."""
        return tuple(shape.place.name for shape in self._shapes)

    def find(self, latitude_deg: float, longitude_deg: float, accuracy_m: float | None = None) -> str:
        """Return the name of the most specific place at a position, empty where there is none.

        That is the nearest row of those within whose reach it is, and whose reach is not less than the position is
        exact; else the smallest block around it; else the smallest site.

        Args:
            latitude_deg: North is positive; in [-90, 90].
            longitude_deg: East is positive; in [-180, 180].
            accuracy_m: How far off the position may be; None: not known, taken as exact.

        Raises:
            ValueError: No position: out of range, or not finite.
        """
        if not (abs(latitude_deg) <= 90 and abs(longitude_deg) <= 180):
            raise ValueError(
                f"position: found {latitude_deg}, {longitude_deg}; allowed: latitude -90 to 90, longitude -180 to 180"
            )
        uncertain_m = 0.0 if accuracy_m is None else accuracy_m
        if not uncertain_m <= self._worst_accuracy_m:
            return ""
        points_m = _flatten(np.array([[longitude_deg, latitude_deg]]), self._origins_deg)
        near = [(self._shapes[n], points_m[n]) for n in _inside_bounds(points_m, self._bounds_m)]
        return _nearest_row(near, uncertain_m) or _smallest(near, PlaceKind.BLOCK) or _smallest(near, PlaceKind.SITE)


def assign(windows: Iterable[Unplaced], places: Places) -> list[Assignment]:
    """Give windows that have no place the place of their mean position, where there is one.

    The mean of a window in which the camera turned may lie where it never was: short windows are more exact.

    Args:
        windows: Without a place; others are not to be touched.
        places: As they are known now.

    Returns:
        In the order of the windows, without those that match no place still.

    Raises:
        ValueError: A mean position is none.
    """
    found = ((window, places.find(window.latitude_deg, window.longitude_deg, window.accuracy_m)) for window in windows)
    return [
        Assignment(window.camera, window.window_start_s, window.window_s, place) for window, place in found if place
    ]


def distance_to_line_m(point: Floats, segments: Floats) -> float:
    """Return the distance of a point to the nearest of some segments.

    Args:
        point: (2,) metres.
        segments: (E, 2, 2) metres, E at least 1: starts and ends. A segment may have no length.

    Source: Ericson, Real-Time Collision Detection, 2005, section 5.1.2: the point is projected onto each segment's
    line, t = (p - a)(b - a) / |b - a|^2, and t is clamped to [0, 1].
    """
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    squares = np.einsum("ij,ij->i", along, along)
    t = np.einsum("ij,ij->i", point - start, along) / np.where(squares > 0, squares, 1)
    nearest = start + np.clip(t, 0, 1)[:, None] * along
    return float(np.hypot(*(point - nearest).T).min())


def contains(point: Floats, edges: Floats) -> bool:
    """Tell whether a point is inside a polygon: a ray from it to the east crosses an odd number of edges.

    Holes need no special care: inside of one the ray crosses its edge too. A point on the border counts
    to either side, but of two polygons that share an edge it is in one.

    Args:
        point: (2,) metres.
        edges: (E, 2, 2) metres, of all rings of the polygon.

    Source: Shimrat, Algorithm 112: Position of point relative to polygon, Communications of the ACM 5 (8), 1962, and
    its certification by Hacker in 5 (12).
    """
    (x1, y1), (x2, y2) = edges[:, 0].T, edges[:, 1].T
    spans = (y1 > point[1]) != (y2 > point[1])
    rise = np.where(spans, y2 - y1, 1)
    crossing_x = x1 + (point[1] - y1) * (x2 - x1) / rise
    return bool(np.count_nonzero(spans & (point[0] < crossing_x)) % 2)


def _flatten(lonlat_deg: Floats, origins_deg: Floats) -> Floats:
    """Project (N, 2) or (1, 2) positions around (N, 2) or (1, 2) origins, the shorter way around the earth."""
    east_deg = (lonlat_deg[:, 0] - origins_deg[:, 0] + 180) % 360 - 180
    north_deg = lonlat_deg[:, 1] - origins_deg[:, 1]
    return _M_PER_DEG * np.stack([east_deg * np.cos(np.radians(origins_deg[:, 1])), north_deg], axis=1)


def _lay_out(place: Place, row_distance_m: float) -> _Shape:
    vertices = np.concatenate([line for part in place.parts for line in part])
    origin = vertices[:1]
    polygons = tuple(_edges(part, origin) for part in place.parts)
    reach_m = 0.0
    if place.kind is PlaceKind.ROW:
        reach_m = row_distance_m if place.width_m is None else place.width_m / 2
    area_m2 = sum(_area_m2(part, origin) for part in place.parts)
    return _Shape(place, (float(origin[0, 0]), float(origin[0, 1])), polygons, reach_m, area_m2)


def _edges(lines: Sequence[Line], origin_deg: Floats) -> Floats:
    flat = [_flatten(line, origin_deg) for line in lines]
    return np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in flat])


def _area_m2(rings: Sequence[Line], origin_deg: Floats) -> float:
    """Return the area of the first ring less that of the holes, by the shoelace formula."""
    areas = []
    for ring in rings:
        x, y = _flatten(ring, origin_deg).T
        areas.append(float(abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2))
    return areas[0] - sum(areas[1:])


def _bounds(shape: _Shape) -> tuple[float, float, float, float]:
    """Return least x and y, then most x and y, of what belongs to a place."""
    points = np.concatenate(shape.polygons).reshape(-1, 2)
    least, most = points.min(axis=0) - shape.reach_m, points.max(axis=0) + shape.reach_m
    return float(least[0]), float(least[1]), float(most[0]), float(most[1])


def _inside_bounds(points_m: Floats, bounds_m: Floats) -> list[int]:
    inside = np.all((points_m >= bounds_m[:, :2]) & (points_m <= bounds_m[:, 2:]), axis=1)
    return [int(n) for n in np.flatnonzero(inside)]


def _nearest_row(near: Sequence[tuple[_Shape, Floats]], uncertain_m: float) -> str:
    rows = [pair for pair in near if pair[0].place.kind is PlaceKind.ROW and pair[0].reach_m >= uncertain_m]
    distances_m = [(distance_to_line_m(point, row.polygons[0]), row) for row, point in rows]
    reached = [pair for pair in distances_m if pair[0] <= pair[1].reach_m]
    return min(reached, key=lambda pair: pair[0])[1].place.name if reached else ""


def _smallest(near: Sequence[tuple[_Shape, Floats]], kind: PlaceKind) -> str:
    around = [
        shape
        for shape, point in near
        if shape.place.kind is kind and any(contains(point, edges) for edges in shape.polygons)
    ]
    return min(around, key=lambda shape: shape.area_m2).place.name if around else ""
