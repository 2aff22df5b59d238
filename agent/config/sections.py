"""The whole configuration, and its sections beside cameras and sync."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from agent.config.camera import CameraConfig
from agent.config.fields import Name, Section
from agent.config.sync import SyncConfig


class BoxConfig(Section):
    """Who this box is: both names are in every topic it publishes to."""

    site: Name
    device: Name


class StorageConfig(Section):
    """Where data lies and for how long."""

    data_dir: Path = Path("/var/lib/hedgerow")
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 400
    rollup_s: Annotated[int, Field(ge=1, le=1800)] = 60  # length of a window; several whole ones make an hour
    # What waits for the cloud is given up by value beyond these; alarms never are.
    outbox_max_entries: Annotated[int, Field(ge=1000, le=100_000_000)] = 1_000_000
    outbox_max_mb: Annotated[int, Field(ge=8, le=1_000_000)] = 1024
    disk_free_min_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 256  # 0: the disk is not looked at

    @field_validator("rollup_s")
    @classmethod
    def _fits_an_hour(cls, rollup_s: int) -> int:
        if 3600 % rollup_s:
            raise ValueError("allowed: a whole number of windows in an hour, such as 10, 60, 300 or 1800")
        return rollup_s


class ModelConfig(Section):
    """The detector. Without ``name`` and ``path`` the bundled orchard model is used."""

    name: Name | None = None  # of a model that `hedgerow models add` installed
    path: Path | None = None
    backend: Literal["auto", "openvino", "onnxruntime", "ultralytics"] = "auto"
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.25
    threads: Annotated[int, Field(ge=0, le=64)] = 0  # 0: the runtime decides

    @model_validator(mode="after")
    def _name_or_path(self) -> Self:
        if self.name is not None and self.path is not None:
            raise ValueError("name and path exclude each other: a model is installed, or lies somewhere")
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


class BundleConfig(Section):
    """Sync by USB stick."""

    cloud_key: str | None = None  # public half of the cloud's key: only what it signed lets the box forget

    @field_validator("cloud_key")
    @classmethod
    def _public_key(cls, cloud_key: str | None) -> str | None:
        if cloud_key is not None and re.fullmatch(r"[0-9a-fA-F]{64}", cloud_key) is None:
            raise ValueError("allowed: 64 hexadecimal digits, as `hedgerow bundle key FILE` shows them in the cloud")
        return cloud_key and cloud_key.lower()


class Config(Section):
    """Everything the agent is told."""

    box: BoxConfig
    storage: StorageConfig = StorageConfig()
    model: ModelConfig = ModelConfig()
    cameras: tuple[CameraConfig, ...]
    sync: SyncConfig = SyncConfig()
    page: PageConfig = PageConfig()
    places: PlacesConfig = PlacesConfig()
    bundle: BundleConfig = BundleConfig()

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
