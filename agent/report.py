"""What the box tells the cloud of itself, in the wire's words."""

import hashlib
import platform
from collections.abc import Mapping, Sequence

from agent import __version__
from agent.config import Config
from agent.detection import ModelInfo
from agent.machine import MachineReading
from agent.types import CameraStatus, Instant
from cloud_sync.outbox import Depth
from cloud_sync.wire import BirthMessage, CameraHealth, HealthMessage


def birth(config: Config, model: ModelInfo, *, stream: str, now: Instant, key: str | None) -> BirthMessage:
    """Say what this box is and runs, and by which key its bundles are known.

    Cameras go by their names: addresses, and the passwords in them, stay here.
    """
    return BirthMessage(
        stream=stream,
        boot=now.boot,
        at_ms=now.utc_ns // 1_000_000,
        versions={"hedgerow": __version__, "python": platform.python_version(), "kernel": platform.release()},
        model_name=model.name,
        model_sha256=model.sha256,
        backend=model.backend,
        classes=model.class_names,
        cameras=tuple(camera.name for camera in config.cameras),
        key=key,
        config_sha256=hashlib.sha256(config.model_dump_json().encode()).hexdigest(),
    )


def health(
    machine: MachineReading,
    cameras: Sequence[CameraStatus],
    outbox: Depth,
    *,
    sight: Mapping[str, str],
    uptime_s: float,
    now: Instant,
) -> HealthMessage:
    """Say how this box does; ``sight`` is by camera, and lacks those that are not checked."""
    oldest = None if outbox.oldest_utc_ns is None else max(0, (now.utc_ns - outbox.oldest_utc_ns) // 1_000_000_000)
    return HealthMessage(
        at_ms=now.utc_ns // 1_000_000,
        boot=now.boot,
        uptime_s=int(uptime_s),
        load_1m=round(machine.load_1m, 2),
        memory_bytes=machine.memory_bytes,
        temperature_c=machine.temperature_c,
        disk_free_bytes=machine.disk_free_bytes,
        disk_total_bytes=machine.disk_total_bytes,
        cameras=tuple(
            CameraHealth(
                name=camera.camera,
                state=camera.state,
                frames=camera.frames_captured,
                dropped=camera.frames_dropped,
                still=camera.frames_still,
                late=camera.frames_late,
                sight=sight.get(camera.camera, ""),
                reconnects=camera.reconnects,
            )
            for camera in cameras
        ),
        outbox_depth=outbox.entries,
        oldest_unsent_s=oldest,
    )
