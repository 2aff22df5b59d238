"""What the box says of itself, for the page, the command line and the health message."""

from dataclasses import asdict, dataclass
from typing import Any

from agent.types import CameraStatus
from cloud_sync.outbox import Depth
from cloud_sync.uplink.status import LinkStatus


@dataclass(frozen=True, slots=True)
class HourCount:
    """One class of one camera over the last hour, from the stored rollups (class ``*``: all together)."""

    camera: str
    class_name: str
    unique: int
    observed_s: float
    frames: int
    occupancy_mean: float
    occupancy_max: int


@dataclass(frozen=True, slots=True)
class BoxStatus:
    """All that the page shows."""

    site: str
    device: str
    version: str
    uptime_s: float
    model_name: str
    backend: str
    cameras: tuple[CameraStatus, ...]
    analysed_fps: dict[str, float]  # per camera, over the last seconds
    hour: tuple[HourCount, ...]
    link: LinkStatus
    outbox: Depth
    disk_free_bytes: int
    database_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)
