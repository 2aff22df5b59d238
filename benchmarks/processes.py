"""What a process costs, its children included; read from /proc."""

import os
import re
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processes_of(pid: int) -> list[int]:
    """Return a process and its children, the children in ascending order."""
    return [pid, *sorted({child for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)})]


def cpu_s(pid: int) -> float:
    """Return the seconds that the processors worked for one process."""
    return sum(_times(pid)[:2]) / TICKS


def pss_mb(pid: int) -> float:
    """Return the memory of one process; a page that several share counts in parts (PSS)."""
    return _rollup_mb(pid, "Pss")


def own_mb(pid: int) -> float:
    """Return the memory that one process asked for: neither files nor what others that come and go share with it."""
    return _rollup_mb(pid, "Anonymous")


def total_cpu_s(pid: int) -> float:
    """Return the seconds of a process and its children, those that have ended among them."""
    return sum(sum(_times(each)) for each in processes_of(pid)) / TICKS


def _rollup_mb(pid: int, key: str) -> float:
    found = re.search(rf"^{key}:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _children(task: Path) -> list[int]:
    try:
        return [int(child) for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []  # the thread has ended since it was listed


def _times(pid: int) -> list[int]:
    """Return ticks in user mode and in the kernel, then the same of the children that were waited for; see proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(field) for field in fields[11:15]]
