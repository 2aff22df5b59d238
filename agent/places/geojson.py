"""Sites, blocks and rows from a GeoJSON file (RFC 7946), refused whole if anything in it is wrong."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ConfigError

Line = NDArray[np.float64]
"""(V, 2) float64: longitude, latitude in degrees, in the order of the file. The last of a ring is its first again."""

_MOST_BYTES = 64 * 1024 * 1024
_MOST_PROBLEMS = 10  # shown at once
_NAME_LENGTH = 256  # as the databases have it
_WIDEST_DEG = 2.0  # of one place: about 220 km; more is a vertex gone astray
_SHAPES = {"Polygon", "MultiPolygon", "LineString"}
_WGS84 = {"urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"}


class PlaceKind(StrEnum):
    """From wide to narrow."""

    SITE = "site"
    BLOCK = "block"
    ROW = "row"


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One place on the map.

    ``parts`` of a site or block are polygons, each of rings: its border, then its holes. A row has one part with one
    open line. ``width_m`` is how wide a row is counted, over both its sides; None: not given.
    """

    name: str
    kind: PlaceKind
    parts: tuple[tuple[Line, ...], ...]
    width_m: float | None = None


_Coordinate = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Point = Annotated[list[_Coordinate], Field(min_length=2)]  # an altitude may follow
_Points = list[_Point]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")  # RFC 7946, section 6.1: foreign members are allowed


class _Polygon(_Part):
    type: Literal["Polygon"]
    coordinates: Annotated[list[_Points], Field(min_length=1)]


class _MultiPolygon(_Part):
    type: Literal["MultiPolygon"]
    coordinates: Annotated[list[Annotated[list[_Points], Field(min_length=1)]], Field(min_length=1)]


class _LineString(_Part):
    type: Literal["LineString"]
    coordinates: Annotated[_Points, Field(min_length=2)]


class _Properties(_Part):
    name: Annotated[str, Field(min_length=1)]
    kind: PlaceKind
    parent: str | None = None
    width_m: Annotated[float, Field(strict=True, gt=0, le=100)] | None = None

    @property
    def path(self) -> str:
        return f"{self.parent}/{self.name}" if self.parent else self.name


class _Feature(_Part):
    type: Literal["Feature"]
    properties: _Properties
    geometry: Annotated[_Polygon | _MultiPolygon | _LineString, Field(discriminator="type")]


def read_places(path: Path) -> tuple[Place, ...]:
    """Read and validate a file of places, in the order of the file.

    Raises:
        ConfigError: It cannot be read, or something in it is wrong. The message has one line for each of the first few
            problems: the file, the feature's index from 0 and its name, what was found and what is allowed.
    """
    raw = _features(path)
    features: list[tuple[int, _Feature]] = []
    problems: list[str] = []
    for index, item in enumerate(raw):
        try:
            feature = _Feature.model_validate(item)
        except ValidationError as error:
            problems += [f"{_title(index, item)}: {_explain(problem)}" for problem in error.errors()]
            continue
        features.append((index, feature))
        problems += [f"{_title(index, item)}: {problem}" for problem in _problems_of(feature)]
    problems += _problems_between(features)
    if problems:
        shown = [f"places {path}: {problem}" for problem in problems[:_MOST_PROBLEMS]]
        left = len(problems) - len(shown)
        raise ConfigError("\n".join([*shown, f"places {path}: and {left} more"] if left else shown))
    return tuple(_place(feature) for _, feature in features)


def _features(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"places {path}: found {path.stat().st_size} bytes; allowed: at most {_MOST_BYTES}")
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read places {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"places {path}: is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"places {path}: is not valid JSON: {error}") from error
    if not isinstance(data, dict) or data.get("type") != "FeatureCollection":
        found = repr(data.get("type")) if isinstance(data, dict) else type(data).__name__
        raise ConfigError(f"places {path}: type: found {found}; allowed: 'FeatureCollection'")
    if (crs := _crs_name(data)) not in _WGS84 | {None}:
        raise ConfigError(f"places {path}: crs: found {crs!r}; allowed: none, which means WGS 84 (RFC 7946, section 4)")
    if not isinstance(data.get("features"), list) or not data["features"]:
        raise ConfigError(f"places {path}: features: there are none; allowed: a list of one or more")
    return list(data["features"])


def _crs_name(data: dict[str, Any]) -> Any:
    """Return the name of the coordinate system that the GeoJSON of 2008 allowed, None where it is not given."""
    crs = data.get("crs")
    properties = crs.get("properties") if isinstance(crs, dict) else None
    return properties.get("name", crs) if isinstance(properties, dict) else crs


def _title(index: int, item: Any) -> str:
    properties = item.get("properties") if isinstance(item, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return f"feature {index} ({name!r})" if isinstance(name, str) and name else f"feature {index}"


def _explain(problem: Any) -> str:
    parts = [str(part) for part in problem["loc"] if part not in _SHAPES]  # the geometry's type is no part of the way
    field = ".".join(parts) or "(the feature)"
    if problem["type"] == "missing":
        return f"{field}: is missing"
    if problem["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        found = problem["input"].get("type") if isinstance(problem["input"], dict) else problem["input"]
        return f"{field}.type: found {found!r}; allowed: 'Polygon', 'MultiPolygon' or 'LineString'"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{field}: found {_short(problem['input'])}; {message}"


def _short(value: Any, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def _problems_of(feature: _Feature) -> Iterator[str]:
    """Say what is wrong in one feature whose form is right."""
    given, geometry = feature.properties, feature.geometry
    yield from _problems_of_name(given.path)
    if isinstance(geometry, _LineString) != (given.kind is PlaceKind.ROW):
        allowed = "'LineString'" if given.kind is PlaceKind.ROW else "'Polygon' or 'MultiPolygon'"
        yield f"geometry.type: found {geometry.type!r} for a {given.kind}; allowed: {allowed}"
    if given.width_m is not None and given.kind is not PlaceKind.ROW:
        yield f"properties.width_m: found {given.width_m} for a {given.kind}; allowed: only for a row"
    outside = list(_out_of_range(geometry))
    yield from outside
    if outside:
        return
    if isinstance(geometry, _LineString):
        if len({tuple(point[:2]) for point in geometry.coordinates}) < 2:
            yield "geometry.coordinates: found one position only; allowed: two or more that differ"
    else:
        yield from _problems_of_rings(geometry)
    yield from _too_wide(geometry)


def _problems_of_name(name: str) -> Iterator[str]:
    parts = name.split("/")
    plain = all(part and part == part.strip() and part.isprintable() for part in parts)
    if not plain or len(name) > _NAME_LENGTH:
        yield (
            f"properties.name: found {_short(name)}; allowed: words separated by single '/', as 'hill-farm/block-a', "
            f"at most {_NAME_LENGTH} printable characters with the parent's name, no blanks around a word"
        )


def _lines(geometry: _Polygon | _MultiPolygon | _LineString) -> Iterator[tuple[str, _Points]]:
    """Give each line of a geometry, and what it is called in a message."""
    if isinstance(geometry, _LineString):
        yield "geometry.coordinates", geometry.coordinates
    elif isinstance(geometry, _Polygon):
        yield from ((f"geometry.coordinates.{n}", ring) for n, ring in enumerate(geometry.coordinates))
    else:
        for m, polygon in enumerate(geometry.coordinates):
            yield from ((f"geometry.coordinates.{m}.{n}", ring) for n, ring in enumerate(polygon))


def _out_of_range(geometry: _Polygon | _MultiPolygon | _LineString) -> Iterator[str]:
    for field, line in _lines(geometry):
        for n, (longitude, latitude, *_) in enumerate(line):
            if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
                yield (
                    f"{field}.{n}: found [{longitude}, {latitude}]; allowed: longitude first, -180 to 180, then "
                    "latitude, -90 to 90, in degrees"
                )
                return  # the first is enough: a file in metres has nothing else


def _problems_of_rings(geometry: _Polygon | _MultiPolygon) -> Iterator[str]:
    for field, ring in _lines(geometry):
        if len(ring) < 4:
            yield f"{field}: found {len(ring)} positions; allowed: a ring of 4 or more, the last the same as the first"
        elif ring[0][:2] != ring[-1][:2]:
            yield f"{field}: found a ring that ends at {ring[-1][:2]}; allowed: where it began, {ring[0][:2]}"
        elif _doubled_area(ring) == 0:
            yield f"{field}: found a ring without area; allowed: three positions or more that are not on one line"


def _doubled_area(ring: _Points) -> float:
    origin = ring[0]
    x = np.array([_turned(point[0] - origin[0]) for point in ring])
    y = np.array([point[1] - origin[1] for point in ring])
    doubled = float(abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])))
    return 0.0 if doubled < 1e-14 else doubled  # square degrees: less than a square centimetre, a line but for rounding


def _turned(longitude_deg: float) -> float:
    """Bring a difference of longitudes into [-180, 180): the shorter way around the earth."""
    return (longitude_deg + 180) % 360 - 180


def _too_wide(geometry: _Polygon | _MultiPolygon | _LineString) -> Iterator[str]:
    points = [point for _, line in _lines(geometry) for point in line]
    for longitude, latitude, *_ in points:
        if max(abs(_turned(longitude - points[0][0])), abs(latitude - points[0][1])) > _WIDEST_DEG:
            yield (
                f"geometry.coordinates: found [{longitude}, {latitude}], far from {points[0][:2]}; allowed: a place at "
                f"most {_WIDEST_DEG:g} degrees across"
            )
            return


def _problems_between(features: list[tuple[int, _Feature]]) -> Iterator[str]:
    """Say which names are used twice, and which parents are none."""
    kinds = {feature.properties.path: feature.properties.kind for _, feature in features}
    twice = {name for name, times in Counter(feature.properties.path for _, feature in features).items() if times > 1}
    order = list(PlaceKind)
    for index, feature in features:
        given = feature.properties
        title = f"feature {index} ({given.name!r})"
        if given.path in twice:
            yield f"{title}: properties.name: found {given.path!r} more than once; allowed: a name of its own"
        if given.parent is None:
            continue
        if given.parent not in kinds:
            yield f"{title}: properties.parent: found {given.parent!r}; allowed: a full name in this file"
        elif order.index(kinds[given.parent]) >= order.index(given.kind):
            yield f"{title}: properties.parent: found a {kinds[given.parent]} for a {given.kind}; allowed: a wider kind"


def _place(feature: _Feature) -> Place:
    geometry, given = feature.geometry, feature.properties
    if isinstance(geometry, _LineString):
        parts: list[list[_Points]] = [[geometry.coordinates]]
    else:
        parts = [geometry.coordinates] if isinstance(geometry, _Polygon) else geometry.coordinates
    arrays = tuple(tuple(np.array([point[:2] for point in line], np.float64) for line in part) for part in parts)
    return Place(given.path, given.kind, arrays, given.width_m)
