"""Small farms to look things up in, written as GeoJSON."""

import json
from pathlib import Path
from typing import Any

Ring = list[tuple[float, float]]


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def polygon(*rings: Ring) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [list(ring) for ring in rings]}


def line(*points: tuple[float, ...]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": list(points)}


def square(west: float, south: float, size: float) -> Ring:
    east, north = west + size, south + size
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def write(folder: Path, data: Any) -> Path:
    path = folder / "places.geojson"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


# At 60 degrees north a degree of latitude is 111.195 km and one of longitude the half of it: a site of about 1.1 km by
# 0.56 km, in it a block with a pond cut out, in it two rows from south to north, 5.56 m apart.
FARM = collection(
    feature(polygon(square(8.0, 60.0, 0.01)), name="hill-farm", kind="site"),
    feature(
        polygon(square(8.001, 60.001, 0.004), square(8.004, 60.004, 0.0005)),
        name="block-a",
        kind="block",
        parent="hill-farm",
    ),
    feature(line((8.002, 60.002), (8.002, 60.003)), name="hill-farm/block-a/row-1", kind="row"),
    feature(line((8.0021, 60.002), (8.0021, 60.003)), name="hill-farm/block-a/row-2", kind="row", width_m=2.0),
)
