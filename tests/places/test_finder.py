"""The place of a camera: fixed, or where its receiver says."""

import pytest

from agent.clock import ManualClock
from agent.config import CameraConfig, PlacesConfig
from agent.errors import ConfigError
from agent.places import PlaceFinder, Places, create_feeds
from agent.types import ANY, Measure
from tests.places.maps import FARM, write
from tests.places.test_nmea import sentence


@pytest.fixture
def places(tmp_path):
    return Places.load(PlacesConfig(geojson=write(tmp_path, FARM)))


def camera(**settings) -> CameraConfig:
    return CameraConfig(name="cart", source="sim:orchard", **settings)


def gga(time: str, north: str, east: str, quality: int = 4) -> bytes:
    return sentence(f"GNGGA,{time},{north},N,{east},E,{quality},12,1.0,100,M,40,M,,") + b"\n"


def test_fixed_place(places):
    """A camera that stays where it is has its place at all times, and says no position."""
    finder = PlaceFinder(camera(place="hill-farm/block-a"), places)
    now = ManualClock().now()
    assert (finder.place(now), finder.measures(now)) == ("hill-farm/block-a", ())


def test_nothing_known(places):
    """A camera of which nothing is configured is in no place."""
    finder = PlaceFinder(camera(), places)
    now = ManualClock().now()
    assert (finder.place(now), finder.measures(now)) == ("", ())


def test_unknown_place_is_named(places):
    """A place that the file does not have stops before anything starts, and those that it has are listed."""
    with pytest.raises(ConfigError) as error:
        PlaceFinder(camera(place="hill-farm/block-b"), places)
    assert str(error.value).startswith(
        "camera cart: place: found 'hill-farm/block-b'; allowed: hill-farm, hill-farm/block-a,"
    )


def test_many_known_places_are_not_all_listed(tmp_path):
    """A farm of a hundred rows does not fill the screen."""
    rows = [{**FARM["features"][2], "properties": {"name": f"row-{n}", "kind": "row"}} for n in range(100)]
    places = Places.load(PlacesConfig(geojson=write(tmp_path, {"type": "FeatureCollection", "features": rows})))
    with pytest.raises(ConfigError, match=r"allowed: row-0, .*, row-19 and 80 more$"):
        PlaceFinder(camera(place="x"), places)


def test_place_without_places():
    """A place where no file is given says what to give."""
    with pytest.raises(ConfigError, match=r"found 'x'; allowed: none, as there are no places; give places\.geojson"):
        PlaceFinder(camera(place="x"), Places())


def test_receiver_without_a_feed(places):
    """A receiver that nobody follows is a mistake of whoever wires, and not silently no place."""
    with pytest.raises(ConfigError, match=r"gps: found 'gpsd://localhost'"):
        PlaceFinder(camera(gps="gpsd://localhost"), places)


def test_way_of_a_cart(places, tmp_path):
    """A cart drives from a row over the block and out of the farm; its place follows, and its position is measured."""
    track = tmp_path / "way.nmea"
    track.write_bytes(
        gga("120000", "6000.1500", "00800.1200")  # 60.0025, 8.002
        + gga("120001", "6000.1500", "00800.1200", quality=1)  # now 4 m off: too vague for a row
        + gga("120002", "6000.0900", "00800.0900")
        + gga("120003", "6006.0000", "00800.0900")
    )
    moving, clock = camera(gps=str(track)), ManualClock()
    finder = PlaceFinder(moving, places, create_feeds([moving], PlacesConfig(), clock)[str(track)])
    seen = []
    for _ in range(5):
        seen.append(finder.place(clock.now()))
        clock.advance(1)
    assert seen == ["hill-farm/block-a/row-1", "hill-farm/block-a", "hill-farm/block-a", "", ""]
    assert finder.measures(clock.now()) == (
        Measure(ANY, ANY, "latitude_deg", pytest.approx(60.1)),
        Measure(ANY, ANY, "longitude_deg", pytest.approx(8.0015)),
        Measure(ANY, ANY, "position_error_m", pytest.approx(0.05)),
    )
    clock.advance(20)
    assert (finder.place(clock.now()), finder.measures(clock.now())) == ("", ())
