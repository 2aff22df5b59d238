"""Sections of one camera: where to count, what to measure, where it looks."""

import re
from math import isclose
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, StringConstraints, field_validator, model_validator

from agent.config.addresses import is_path
from agent.config.fields import Name, Point, Section
from agent.errors import ConfigError
from agent.outline import area, crosses_itself, is_convex
from agent.receiver import parse_receiver
from agent.sampling import MOST_FPS, Sampling

Anchor = Literal["centre", "bottom"]
"""The point of a box that says where its object is: its centre, or the middle of its lower side."""

_ALARM_WEIGHT = 2.0
_LEAST_AREA = 1e-4  # of the picture; below this a zone is a slip of the mouse


class ZoneConfig(Section):
    """A part of the picture in which to count."""

    name: Name
    polygon: Annotated[tuple[Point, ...], Field(min_length=3, max_length=100)]
    classes: tuple[str, ...] = ()  # none: all that the model knows
    anchor: Anchor = "centre"  # fruit hangs; "bottom" where a zone is drawn on ground on which things stand
    loiter_s: Annotated[float, Field(gt=0, le=86400)] | None = None  # an object that stays so long raises an alarm
    size_m: tuple[PositiveFloat, PositiveFloat] | None = None  # of a zone with four corners: length of the first side
    #   (corner 1 to 2) and of the second (2 to 3); then speeds are measured

    @model_validator(mode="after")
    def _sound_outline(self) -> Self:
        corners = self.polygon
        if any(point == following for point, following in zip(corners, [*corners[1:], corners[0]], strict=True)):
            raise ValueError("polygon: a corner follows itself; the last joins the first by itself")
        if crosses_itself(corners):
            raise ValueError("polygon: its sides cross; give the corners in the order of the outline")
        if area(corners) < _LEAST_AREA:
            raise ValueError(f"polygon: encloses nothing; allowed: at least {_LEAST_AREA} of the picture")
        if self.size_m and not (len(corners) == 4 and is_convex(corners)):
            raise ValueError("size_m: needs a polygon of four corners without a dent, the picture of a rectangle")
        return self


class LineConfig(Section):
    """A line to be crossed. ``in`` is from its left to its right, seen from its first point to its second."""

    name: Name
    points: tuple[Point, Point]
    classes: tuple[str, ...] = ()
    anchor: Anchor = "centre"

    @field_validator("points")
    @classmethod
    def _two_points(cls, points: tuple[Point, Point]) -> tuple[Point, Point]:
        if points[0] == points[1]:
            raise ValueError("the two points are the same; a line needs a direction")
        return points


class RowConfig(Section):
    """A camera that moves along a row: each fruit counts once, with a band rather than a bare number."""

    per: Literal["tree", "metre"] = "tree"
    metres_per_pixel: PositiveFloat | None = None  # at the distance of the row, in the source's pixels
    segment_m: PositiveFloat = 1.0  # per = "metre": length of a piece; where trees are planted evenly, their distance
    visible_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the fruit on a tree, what a camera can see of it

    @model_validator(mode="after")
    def _metres_need_a_scale(self) -> Self:
        if self.per == "metre" and self.metres_per_pixel is None:
            raise ValueError('per = "metre" needs metres_per_pixel')
        return self

    @property
    def piece_px(self) -> float | None:
        """Length of a piece of the row in the source's pixels; None where it is divided by tree."""
        if self.per == "tree" or self.metres_per_pixel is None:
            return None
        return self.segment_m / self.metres_per_pixel


_Lightness = Annotated[float, Field(ge=10, le=100)]  # darker than 10, a camera sees no colour
_Opponent = Annotated[float, Field(ge=-128, le=127)]


class RipenessConfig(Section):
    """What ripe and unripe fruit of one class look like: reference colours in CIE L*a*b* (L 10 to 100)."""

    class_name: Annotated[str, Field(alias="class")]
    ripe_lab: tuple[_Lightness, _Opponent, _Opponent]
    unripe_lab: tuple[_Lightness, _Opponent, _Opponent]


class FarmConfig(Section):
    """Measures of fruit and leaves in one camera's picture."""

    ripeness: tuple[RipenessConfig, ...] = ()
    fruit_size: bool = False
    metres_per_pixel: PositiveFloat | None = None  # then sizes are in millimetres too
    canopy: bool = False
    canopy_every_s: Annotated[float, Field(ge=1, le=3600)] = 10.0  # the canopy is measured no more often
    canopy_drop: Annotated[float, Field(gt=0, lt=1)] = 0.3  # a day so far below the camera's own history: look here


class MotionConfig(Section):
    """The motion gate: frames in which nothing is new are not shown to the detector."""

    gate: bool | None = None  # None: on for live cameras that stand still
    look_every_s: Annotated[float, Field(ge=1, le=3600)] = 30.0  # the detector looks at least so often


class SightConfig(Section):
    """Whether the camera can see: dark, overexposed, covered, blurred, frozen, moved."""

    check: bool | None = None  # None: on for live cameras


class CameraConfig(Section):
    """One camera."""

    name: Name
    source: Annotated[str, StringConstraints(min_length=1)]
    substream: Annotated[str, StringConstraints(min_length=1)] | None = None  # the same view, smaller: for analysis
    sampling: str = "fps:5"  # "keyframes", "fps:N" or "all"
    fps: Annotated[float, Field(gt=0, le=MOST_FPS)] = 5.0  # short for sampling = "fps:N"; see Sampling.fps
    stall_timeout_s: Annotated[float, Field(ge=0.5, le=300)] = 10.0
    weight: Annotated[float, Field(ge=0.1, le=100)] | None = None  # of its claim on the detector where time is short
    max_age_s: Annotated[float, Field(ge=0.1, le=300)] = 5.0  # an older frame says nothing of now, and is not analysed
    tiles: Annotated[str, StringConstraints(pattern=r"^(auto|[1-8]x[1-8])$")] | None = None  # for small objects
    loop: bool = False  # files, folders: start again at the end
    zones: tuple[ZoneConfig, ...] = ()
    lines: tuple[LineConfig, ...] = ()
    motion: MotionConfig = MotionConfig()
    sight: SightConfig = SightConfig()
    row: RowConfig | None = None
    farm: FarmConfig = FarmConfig()
    place: str | None = None  # name of a place in places.geojson; fixed
    gps: str | None = None  # gpsd://HOST[:PORT], an NMEA device, or an NMEA file: where a moving camera is

    @property
    def share_of_time(self) -> float:
        """Return the weight: as given, or twice as much for a camera with alarms."""
        if self.weight is not None:
            return self.weight
        return _ALARM_WEIGHT if any(zone.loiter_s for zone in self.zones) else 1.0

    @field_validator("gps")
    @classmethod
    def _known_receiver(cls, gps: str | None) -> str | None:
        if gps is not None:
            parse_receiver(gps)
        return gps

    @model_validator(mode="after")
    def _rows_see_every_frame(self) -> Self:
        if self.row is not None and self.motion.gate:
            raise ValueError("motion.gate and row exclude each other: the count along a row needs every frame")
        return self

    @model_validator(mode="after")
    def _fixed_or_moving(self) -> Self:
        if self.place is not None and self.gps is not None:
            raise ValueError("place and gps exclude each other: a camera stays where it is, or moves")
        return self

    @property
    def gated(self) -> bool:
        """Whether the motion gate is used: unless told, where it saves much and misses nothing.

        A camera that moves shows something new all the time, and a recording is there to be analysed whole.
        """
        if self.motion.gate is not None:
            return self.motion.gate
        return self.live and self.stands

    @property
    def sighted(self) -> bool:
        """Whether it is told when the camera cannot see. A recording shows what it shows."""
        return self.live if self.sight.check is None else self.sight.check

    @property
    def live(self) -> bool:
        """Whether its address is that of a camera rather than of a recording."""
        return self.watched.startswith(("rtsp", "http", "/dev/video"))

    @property
    def stands(self) -> bool:
        """Whether it always looks at the same scene."""
        return self.row is None and self.gps is None

    @property
    def watched(self) -> str:
        """The address that is analysed: the sub-stream where there is one."""
        return self.substream or self.source

    @model_validator(mode="before")
    @classmethod
    def _sampling_and_fps_say_the_same(cls, given: Any) -> Any:
        """Fill in the one that is not given. What is no sampling or no number is left for the fields to refuse."""
        if not isinstance(given, dict):
            return given
        sampling, fps = given.get("sampling"), given.get("fps")
        if sampling is None:
            return {**given, "sampling": f"fps:{fps:.12g}"} if isinstance(fps, int | float) and fps > 0 else given
        try:
            meant = Sampling.parse(sampling)
        except (ConfigError, AttributeError):
            return given
        if isinstance(fps, int | float) and not isclose(fps, meant.fps):
            raise ValueError(f"fps = {fps:g} and sampling = {sampling!r} exclude each other; give one of them")
        return {**given, "fps": meant.fps} if fps is None else given

    @field_validator("sampling")
    @classmethod
    def _known_sampling(cls, sampling: str) -> str:
        try:
            Sampling.parse(sampling)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return sampling

    @field_validator("source", "substream")
    @classmethod
    def _known_scheme(cls, source: str | None) -> str | None:
        if source is None:
            return None
        scheme = "" if is_path(source) else source.partition(":")[0]
        if scheme and scheme not in {"rtsp", "rtsps", "http", "https", "file", "sim"}:
            raise ValueError(
                f"scheme {scheme!r} is not known; allowed: rtsp://, rtsps://, http://, https://, a file, a folder of "
                "images, /dev/videoN or sim:orchard"
            )
        if scheme not in {"", "file", "sim"} and not re.match(r"[a-z]+://[^/]", source):
            raise ValueError(f"no host is in it; allowed: {scheme}://HOST[:PORT]/PATH")
        if re.search(r"[\x00-\x1f\x7f]", source):
            raise ValueError("control characters are in no address, and in no path that can be opened")
        return source

    @model_validator(mode="after")
    def _zones_and_lines_with_names_of_their_own(self) -> Self:
        names = [zone.name for zone in self.zones] + [line.name for line in self.lines]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"zones and lines must have different names; used more than once: {', '.join(twice)}")
        return self
