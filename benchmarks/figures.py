"""The figures, each with what it must reach."""

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over the rounds of a run. ``at_least`` or ``at_most`` is what its median must reach."""

    name: str
    unit: str
    rounds: tuple[float, ...]
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """Return the middle one."""
        return statistics.median(self.rounds)

    @property
    def reached(self) -> bool:
        """Tell whether the median is as required; true where nothing is."""
        return (self.at_least is None or self.median >= self.at_least) and (
            self.at_most is None or self.median <= self.at_most
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "median": self.median, "reached": self.reached}


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as Markdown."""
    lines = ["| figure | median | range | must reach | |", "|---|---|---|---|---|"]
    for figure in figures:
        rounds = f"{min(figure.rounds):.3g} to {max(figure.rounds):.3g}" if len(figure.rounds) > 1 else ""
        lines.append(
            f"| {figure.name} | {figure.median:.3g} {figure.unit} | {rounds} | {_required(figure)} | {figure.note} |"
        )
    return "\n".join(lines)


def machine() -> str:
    """Return what it was measured on, in one line."""
    return f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return f"{platform.machine()} {names[0].strip()}" if names else platform.machine()


def _required(figure: Figure) -> str:
    if figure.at_least is None and figure.at_most is None:
        return ""
    bound = f">= {figure.at_least:,g}" if figure.at_least is not None else f"<= {figure.at_most:,g}"
    return f"{bound}: {'yes' if figure.reached else 'NO'}"
