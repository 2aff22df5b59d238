"""What the box says of itself, for the page, the command line and the health message."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from agent.types import ANY, CameraStatus
from cloud_sync.outbox import Depth, SetAside
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
    zone: str = ANY


@dataclass(frozen=True, slots=True)
class HourMeasure:
    """One measure of one camera over the last hour; a count, as of what crossed a line, is in ``total``."""

    camera: str
    zone: str
    class_name: str
    name: str
    readings: int
    total: float
    mean: float


class FrameRate:
    """Frames a second over the last seconds. One thread adds, any may ask."""

    def __init__(self, over_s: float = 10.0) -> None:
        """Start with none."""
        self._over_ns = round(over_s * 1e9)
        self._times_ns: deque[int] = deque(maxlen=2000)

    def add(self, monotonic_ns: int) -> None:
        """Count one frame, and forget those that no rate asks for any more."""
        self._times_ns.append(monotonic_ns)
        while monotonic_ns - self._times_ns[0] > self._over_ns:
            self._times_ns.popleft()

    def per_second(self, monotonic_ns: int) -> float:
        """Return the rate at this moment, 0 when nothing came lately."""
        recent = [at for at in tuple(self._times_ns) if monotonic_ns - at <= self._over_ns]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max((monotonic_ns - recent[0]) / 1e9, 1e-3)


@dataclass(frozen=True, slots=True)
class CameraService:
    """How the detector serves one camera."""

    wanted_fps: float
    granted_fps: float  # less than wanted where the box's time does not suffice for all
    weight: float
    cost_ms: float | None  # of a picture, lately; None before the first
    tiles: int = 1  # the parts in which a picture is looked at


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
    service: dict[str, CameraService]  # per camera
    sight: dict[str, str]  # per camera that is checked: "clear", what keeps it from seeing, or "moved"
    hour: tuple[HourCount, ...]
    measures: tuple[HourMeasure, ...]
    link: LinkStatus
    outbox: Depth
    disk_free_bytes: int
    database_bytes: int
    clock_unset: bool = False  # times are an estimate: the machine's clock was not set
    set_aside: SetAside | None = None  # the newest of what can never be sent

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)
