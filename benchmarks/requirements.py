"""What a benchmark must show, held against what it measured."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of the table. ``met`` is None where it was not measured, which is as good as missed."""

    name: str
    required: str
    measured: str
    met: bool | None


def print_requirements(requirements: Sequence[Requirement]) -> None:
    """Print them as a Markdown table."""
    print("\n| requirement | required | measured | |\n|---|---|---|---|")
    for one in requirements:
        word = {True: "met", False: "MISSED", None: "NOT MEASURED"}[one.met]
        print(f"| {one.name} | {one.required} | {one.measured} | {word} |")
