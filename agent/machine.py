"""What the machine says of itself, read from the kernel."""

import ctypes
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_M_ARENA_MAX = -8  # of malloc.h


@dataclass(frozen=True, slots=True)
class MachineReading:
    """One look at the machine; ``temperature_c`` is the hottest zone, None where the machine tells none."""

    load_1m: float
    memory_bytes: int  # resident, of this process
    temperature_c: float | None
    disk_free_bytes: int  # where the data lies; 0 both where that is gone
    disk_total_bytes: int


def read_machine(data_dir: Path) -> MachineReading:
    """Look at load, memory, temperature and the disk of ``data_dir``."""
    try:
        disk = shutil.disk_usage(data_dir)
        free_bytes, total_bytes = disk.free, disk.total
    except OSError:
        free_bytes = total_bytes = 0
    return MachineReading(os.getloadavg()[0], _resident_bytes(), _hottest_c(), free_bytes, total_bytes)


def share_freed_memory() -> None:
    """Have the C library keep freed memory in two places, not eight a core: what one thread frees then serves others.

    To be called before there are threads. Where the C library is not glibc, nothing is done.

    Source: mallopt(3).
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _hottest_c(zones: Path = Path("/sys/class/thermal")) -> float | None:
    readings = []
    for zone in zones.glob("thermal_zone*/temp"):
        try:
            readings.append(int(zone.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):
            continue  # a zone may be asleep, or say nothing
    return max(readings, default=None)
