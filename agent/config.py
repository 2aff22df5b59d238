"""The configuration: one TOML file, read once, refused whole if anything in it is wrong.

No device, model or socket is opened before it is right. Relative paths are relative to the file.
"""

import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from agent.errors import ConfigError
from agent.outline import area, crosses_itself, is_convex
from agent.receiver import NmeaPath, parse_receiver
from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import Address

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A name that is safe in an MQTT topic, a file name and a URL."""

_USER_AND_PASSWORD = re.compile(
    r"^(?P<start>[a-z0-9+.-]+://[^/:@?#]*):(?!\d{1,5}([/?#]|$)).*@", re.IGNORECASE | re.DOTALL
)
_SECRET_PARAMETER = re.compile(  # some cameras want it in the path: /user=admin_password=secret_channel=1
    r"(?P<key>[?&/_;][^=&/?;]*(?:pass|pwd|secret|token|key|auth)[^=&/?;]*=)[^&#]*", re.IGNORECASE
)

_NAME_RULE = "lower-case letters, digits, '-' and '_', at most 63, starting with a letter or digit"


class Section(BaseModel):
    """Base of every section: unknown keys are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BoxConfig(Section):
    """Who this box is: both names are in every topic it publishes to."""

    site: Name
    device: Name


class StorageConfig(Section):
    """Where data lies and for how long."""

    data_dir: Path = Path("/var/lib/hedgerow")
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 400
    rollup_s: Annotated[int, Field(ge=1, le=3600)] = 60  # length of a window; a whole number of them fits an hour

    @field_validator("rollup_s")
    @classmethod
    def _fits_an_hour(cls, rollup_s: int) -> int:
        if 3600 % rollup_s:
            raise ValueError("allowed: a whole number of windows in an hour, such as 10, 60, 300 or 3600")
        return rollup_s


class ModelConfig(Section):
    """The detector. Without ``path`` the bundled orchard model is used."""

    path: Path | None = None
    backend: Literal["auto", "openvino", "onnxruntime"] = "auto"
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.25
    threads: Annotated[int, Field(ge=0, le=64)] = 0  # 0: the runtime decides


Share = Annotated[float, Field(ge=0, le=1)]
Point = tuple[Share, Share]
"""x and y as shares of the picture's width and height, from the upper left corner."""

Anchor = Literal["centre", "bottom"]
"""The point of a box that says where its object is: its centre, or the middle of its lower side."""

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


class CameraConfig(Section):
    """One camera."""

    name: Name
    source: Annotated[str, StringConstraints(min_length=1)]
    fps: Annotated[float, Field(gt=0, le=120)] = 5.0  # frames analysed a second, at most
    stall_timeout_s: Annotated[float, Field(ge=0.5, le=300)] = 10.0
    loop: bool = False  # files, folders: start again at the end
    zones: tuple[ZoneConfig, ...] = ()
    lines: tuple[LineConfig, ...] = ()
    row: RowConfig | None = None
    farm: FarmConfig = FarmConfig()
    place: str | None = None  # name of a place in places.geojson; fixed
    gps: str | None = None  # gpsd://HOST[:PORT], an NMEA device, or an NMEA file: where a moving camera is

    @field_validator("gps")
    @classmethod
    def _known_receiver(cls, gps: str | None) -> str | None:
        if gps is not None:
            parse_receiver(gps)
        return gps

    @model_validator(mode="after")
    def _fixed_or_moving(self) -> Self:
        if self.place is not None and self.gps is not None:
            raise ValueError("place and gps exclude each other: a camera stays where it is, or moves")
        return self

    @field_validator("source")
    @classmethod
    def _known_scheme(cls, source: str) -> str:
        scheme = "" if is_path(source) else source.partition(":")[0]
        if scheme and scheme not in {"rtsp", "rtsps", "http", "https", "file", "sim"}:
            raise ValueError(
                f"scheme {scheme!r} is not known; allowed: rtsp://, rtsps://, http://, https://, a file, a folder of "
                "images, /dev/videoN or sim:orchard"
            )
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


class SyncConfig(Section):
    """The way to the cloud. Without ``broker`` the box keeps everything to itself."""

    broker: str | None = None
    confirm: Literal["cloud", "broker"] = "cloud"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 15
    health_every_s: Annotated[int, Field(ge=5, le=86400)] = 60

    @field_validator("broker")
    @classmethod
    def _broker_url(cls, broker: str | None) -> str | None:
        if broker is None:
            return None
        try:
            Address.parse(broker)
        except SyncFatalError as error:
            raise ValueError(str(error)) from None
        return broker

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: give both or neither")
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file needs a username beside it")
        return self


class PageConfig(Section):
    """The status page. Listens on loopback unless a password is set."""

    enabled: bool = True
    listen: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8642
    password_file: Path | None = None

    @model_validator(mode="after")
    def _loopback_or_password(self) -> Self:
        try:
            loopback = ip_address(self.listen).is_loopback
        except ValueError:
            raise ValueError(f"listen {self.listen!r} is not an IP address; allowed: 127.0.0.1, 0.0.0.0, ::1") from None
        if not loopback and self.password_file is None:
            raise ValueError("listening beyond this machine needs page.password_file")
        return self


class PlacesConfig(Section):
    """Sites, blocks and rows."""

    geojson: Path | None = None
    row_distance_m: Annotated[float, Field(gt=0, le=50)] = 3.0  # a row that says no width_m is so wide to each side
    worst_accuracy_m: Annotated[float, Field(gt=0, le=1000)] = 25.0  # a position less exact is in no place
    position_max_age_s: Annotated[float, Field(ge=1, le=3600)] = 10.0  # an older position says nothing of now


class Config(Section):
    """Everything the agent is told."""

    box: BoxConfig
    storage: StorageConfig = StorageConfig()
    model: ModelConfig = ModelConfig()
    cameras: tuple[CameraConfig, ...]
    sync: SyncConfig = SyncConfig()
    page: PageConfig = PageConfig()
    places: PlacesConfig = PlacesConfig()

    @model_validator(mode="after")
    def _cameras_with_names_of_their_own(self) -> Self:
        if not self.cameras:
            raise ValueError("cameras: there are none; give at least one [[cameras]]")
        names = [camera.name for camera in self.cameras]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"camera names must differ; used more than once: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _places_where_a_camera_has_one(self) -> Self:
        placed = [camera.name for camera in self.cameras if camera.place is not None]
        if placed and self.places.geojson is None:
            raise ValueError(f"the place of camera {placed[0]} needs places.geojson, the file that names it")
        return self


def load_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or a field is wrong. The message has one line per problem,
            each naming the field, what was found and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration {path} is not valid TOML: {error}") from error
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"configuration {path}: " + "\n".join(lines)) from None
    return _absolute_paths(config, path.resolve().parent)


def read_secret(path: Path) -> str:
    """Return the first line of a file that holds a password.

    Raises:
        ConfigError: It cannot be read, or is empty. The message never shows what is in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read password file {path}: {reason}") from error
    if not lines or not lines[0].strip():
        raise ConfigError(f"password file {path} is empty; its first line is the password")
    return lines[0].strip()


def _explain(problem: ErrorDetails) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "(top level)"
    kind = problem["type"]
    context = problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{field}: unknown key; see docs/hedgerow.example.toml for the keys that exist"
    if kind == "missing":
        return f"{field}: is missing"
    given = problem["input"]
    shown = public_address(given) if isinstance(given, str) else given
    found = None if isinstance(given, dict | BaseModel) else repr(shown)
    if kind == "string_pattern_mismatch":
        return f"{field}: found {found}; allowed: {_NAME_RULE}"
    if kind == "value_error":
        message = str(context.get("error", problem["msg"]))
    else:
        message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{field}: found {found}; {message}" if found else f"{field}: {message}"


def _absolute_paths(config: Config, base: Path) -> Config:
    """Make every path of the file absolute, so that the daemon does not depend on where it was started."""

    def absolute(section: Section) -> dict[str, Path]:
        return {
            name: base / value.expanduser()
            for name in type(section).model_fields
            if isinstance(value := getattr(section, name), Path)
        }

    sections = {name: getattr(config, name) for name in ("storage", "model", "sync", "page", "places")}
    cameras = tuple(_camera_with_absolute_paths(camera, base) for camera in config.cameras)
    updates = {name: section.model_copy(update=absolute(section)) for name, section in sections.items()}
    return config.model_copy(update={**updates, "cameras": cameras})


def _camera_with_absolute_paths(camera: CameraConfig, base: Path) -> CameraConfig:
    updates = {}
    if is_path(camera.source):
        updates["source"] = str(base / camera.source)
    if camera.gps is not None and isinstance(parse_receiver(camera.gps), NmeaPath):
        updates["gps"] = str(base / camera.gps)
    return camera.model_copy(update=updates)


def is_path(source: str) -> bool:
    """Tell whether a camera's source is a path on this machine rather than an address."""
    return not re.match(r"[a-z0-9+.-]+:", source, re.IGNORECASE)


def public_address(address: str) -> str:
    """Return an address as it may be shown and logged: passwords and secret parameters are replaced by ``***``.

    A password that holds ``/`` or ``@`` is removed whole, too, at the price of more than it.
    """
    hidden = _USER_AND_PASSWORD.sub(r"\g<start>:***@", address)
    return _SECRET_PARAMETER.sub(r"\g<key>***", hidden)
