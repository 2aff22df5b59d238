"""Places: sites, blocks and rows on the map, and where a camera is among them. See DESIGN.md in this folder."""

from agent.places.finder import PlaceFinder, create_feeds
from agent.places.geojson import Place, PlaceKind, read_places
from agent.places.lookup import Assignment, Places, Unplaced, assign
from agent.places.position import Feed, FeedStatus, Position, PositionFeed
from agent.places.track import RecordedTrack

__all__ = [
    "Assignment",
    "Feed",
    "FeedStatus",
    "Place",
    "PlaceFinder",
    "PlaceKind",
    "Places",
    "Position",
    "PositionFeed",
    "RecordedTrack",
    "Unplaced",
    "assign",
    "create_feeds",
    "read_places",
]
