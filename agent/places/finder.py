"""Where one camera is, by configuration or by a receiver, and what is known of it for later."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from agent.clock import Clock
from agent.config import CameraConfig, PlacesConfig
from agent.errors import ConfigError
from agent.places.device import DeviceLink
from agent.places.gpsd import GpsdLink, GpsdReader
from agent.places.lookup import Places
from agent.places.nmea import NmeaReader
from agent.places.position import Feed, Position, PositionFeed
from agent.places.track import RecordedTrack
from agent.receiver import GpsdAddress, parse_receiver
from agent.types import ANY, Instant, Measure

_NAMES_SHOWN = 20


class PlaceFinder:
    """Tells the place of one camera. Belongs to the camera's thread."""

    def __init__(self, camera: CameraConfig, places: Places, feed: Feed | None = None) -> None:
        """Check the camera's place.

        Args:
            camera: Whose ``place`` is fixed, if it is given.
            places: All that are known.
            feed: Of the camera's ``gps``, if that is given; see ``create_feeds``.

        Raises:
            ConfigError: There is no such place, or a receiver is configured and no feed given.
        """
        if camera.place is not None and camera.place not in places.names:
            raise ConfigError(f"camera {camera.name}: place: found {camera.place!r}; allowed: {_listed(places.names)}")
        if camera.gps is not None and feed is None:
            raise ConfigError(f"camera {camera.name}: gps: found {camera.gps!r}, and nothing that follows it")
        self._fixed, self._places = camera.place or "", places
        self._feed = feed if camera.gps is not None else None
        self._last: Position | None = None
        self._last_place = ""

    def place(self, now: Instant) -> str:
        """Return the name of the place where the camera is; empty where it is in none, or nobody knows."""
        position = self._feed.latest(now) if self._feed else None
        if position is None:
            return self._fixed
        if not self._same(position):
            found = self._places.find(position.latitude_deg, position.longitude_deg, position.accuracy_m)
            self._last, self._last_place = position, found
        return self._last_place

    def measures(self, now: Instant) -> tuple[Measure, ...]:
        """Return readings of the position, where a receiver tells it.

        From the means that are stored of them, what matched no place can be assigned one later.
        """
        position = self._feed.latest(now) if self._feed else None
        if position is None:
            return ()
        readings = [
            Measure(ANY, ANY, "latitude_deg", position.latitude_deg),
            Measure(ANY, ANY, "longitude_deg", position.longitude_deg),
        ]
        if position.accuracy_m is not None:
            readings.append(Measure(ANY, ANY, "position_error_m", position.accuracy_m))
        return tuple(readings)

    def _same(self, position: Position) -> bool:
        """Tell whether this is where the camera was when the place was last looked up: five frames share a position."""
        last = self._last
        return last is not None and (last.latitude_deg, last.longitude_deg, last.accuracy_m) == (
            position.latitude_deg,
            position.longitude_deg,
            position.accuracy_m,
        )


def create_feeds(cameras: Sequence[CameraConfig], config: PlacesConfig, clock: Clock) -> dict[str, Feed]:
    """Return a feed for each receiver that cameras name, by ``CameraConfig.gps``: cameras of one vehicle share one.

    Nothing is opened yet but recorded files.

    Raises:
        ConfigError: A recorded file cannot be read, or holds no position.
    """
    feeds: dict[str, Feed] = {}
    loops = {camera.gps for camera in cameras if camera.loop}
    for gps in sorted({camera.gps for camera in cameras if camera.gps is not None}):
        feeds[gps] = _create_feed(gps, clock, max_age_s=config.position_max_age_s, loop=gps in loops)
    return feeds


def _create_feed(gps: str, clock: Clock, *, max_age_s: float, loop: bool) -> Feed:
    receiver = parse_receiver(gps)
    if isinstance(receiver, GpsdAddress):
        connect = partial(GpsdLink, receiver.host, receiver.port)
        return PositionFeed(gps, connect, GpsdReader, clock, max_age_s=max_age_s)
    path = receiver.path
    comes_and_goes = path.startswith("/dev/") or Path(path).exists()  # as a USB receiver does
    if Path(path).is_file() or not comes_and_goes:
        return RecordedTrack(Path(path), max_age_s=max_age_s, loop=loop)
    return PositionFeed(path, partial(DeviceLink, path, receiver.baud), NmeaReader, clock, max_age_s=max_age_s)


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return "none, as there are no places; give places.geojson"
    shown = ", ".join(names[:_NAMES_SHOWN])
    left = len(names) - _NAMES_SHOWN
    return f"{shown} and {left} more" if left > 0 else shown
