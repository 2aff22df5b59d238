"""The disk under the data directory: room, and how fast it makes writes durable."""

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from agent.doctor.finding import Finding, Level

_LOW_BYTES = 1_000_000_000
_FULL_BYTES = 200_000_000
_WRITE_BYTES = 16 << 20
_SYNCS = 10
_SLOW_SYNC_MS = 100.0  # the writer commits once a second or so: beyond this a bad disk shows
_SLOW_MB_S = 5.0


def look_at_disk(data_dir: Path) -> list[Finding]:
    """Check the room left and the speed of writes in the nearest folder that exists."""
    folder = next(place for place in (data_dir, *data_dir.parents) if place.exists())
    try:
        return [_room(folder), _speed(folder)]
    except OSError as error:
        text = f"cannot write in {folder}: {error.strerror}"
        return [
            Finding("disk", Level.FAIL, text, "make it writable for the user that runs the agent, or free some space")
        ]


def _room(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    share = os.statvfs(folder)
    text = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free in {folder}"
    if usage.free < _FULL_BYTES or (share.f_files and not share.f_favail):
        return Finding("disk", Level.FAIL, text, "free some space: the agent cannot store what it sees")
    if usage.free < _LOW_BYTES:
        return Finding("disk", Level.WARN, text, "free some space, or lower storage.retention_days")
    return Finding("disk", Level.OK, text)


def _speed(folder: Path) -> Finding:
    """Write a few megabytes and sync small writes, as the database does; the file is gone afterwards."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".hedgerow-doctor-") as file:
        started = time.perf_counter()
        for _ in range(_WRITE_BYTES >> 20):
            file.write(bytes(1 << 20))
        file.flush()
        os.fsync(file.fileno())
        speed_mb_s = _WRITE_BYTES / 1e6 / (time.perf_counter() - started)
        syncs_ms = []
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            syncs_ms.append((time.perf_counter() - begun) * 1000)
    sync_ms = statistics.median(syncs_ms)
    text = f"writes {speed_mb_s:.0f} MB/s, makes a write durable in {sync_ms:.1f} ms"
    if sync_ms > _SLOW_SYNC_MS or speed_mb_s < _SLOW_MB_S:
        return Finding(
            "disk speed", Level.WARN, text, "a worn or slow card: use a better one, or a longer storage.rollup_s"
        )
    return Finding("disk speed", Level.OK, text)
