"""Imports point one way: the rooms of DESIGN.md, held by a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# A room may import the rooms in its set, itself, and the shared values.
SHARED = {
    "types",
    "errors",
    "clock",
    "config",
    "status",
    "receiver",
    "outline",
    "files",
    "sampling",
    "small",
    "planes",
    "__init__",
}
ALLOWED = {
    "capture": {"motion", "decoder"},
    "decoder": set(),
    "motion": set(),
    "discovery": set(),
    "detection": set(),
    "tracking": set(),
    "analytics": {"tracking"},
    "places": set(),
    "summaries": set(),
    "store": {"summaries", "places"},
    "web": set(),
    "pipeline": {"detection", "tracking", "analytics", "places"},
    "chores": {"analytics", "places", "store", "machine"},
    "timekeeper": {"store"},
    "modelstore": {"capture", "detection"},
    "turns": set(),
    "analysis": {"pipeline", "capture", "turns"},
    "replay": {"analytics", "capture", "detection", "pipeline", "summaries"},
    "doctor": {"capture", "detection"},
    "sights": {"analytics", "pipeline"},
    "supervisor": set(),
    "schedule": set(),
    "stick": {"store"},
    "windows": set(),
    "machine": set(),
    "systemd": set(),
    "journal": set(),
    "broker": set(),
    "report": {"detection", "machine"},
    "check": {"analytics", "capture", "detection", "modelstore", "places", "store"},
}
WIRES = {"app", "cameras", "demo", "cli"}
CLOCKS = {"agent/clock.py", "agent/journal.py"}


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: str) -> str:
    return Path(path).parts[1].removesuffix(".py")


def test_cloud_sync_never_imports_agent():
    """Both ends of the sync stand without the agent: the cloud installs no camera."""
    wrong = [
        (path, name) for path, tree in modules("cloud_sync") for name in imported(tree) if name.startswith("agent")
    ]
    assert wrong == []


def test_rooms_import_only_what_they_may():
    """Data flows one way, so imports do: every room is listed, and imports no room that is not allowed to it."""
    wrong = []
    for path, tree in modules("agent"):
        here = room(path)
        if here in WIRES | SHARED:
            continue
        assert here in ALLOWED, f"{here}: a new room needs a line in this test"
        may = ALLOWED[here] | SHARED | {here}
        wrong += [
            (path, name)
            for name in imported(tree)
            if name.startswith("agent.") and name.split(".")[1] not in may | {"__version__"}
        ]
    assert wrong == []


def test_shared_values_import_no_room():
    """What all rooms share knows none of them."""
    wrong = [
        (path, name)
        for path, tree in modules("agent")
        if room(path) in SHARED
        for name in imported(tree)
        if name.startswith("agent.") and name.split(".")[1] not in SHARED
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["agent", "cloud_sync"])
def test_only_the_clock_reads_the_wall_clock(package: str):
    """No room asks what time it is: it is told."""
    forbidden = {
        ("time", "time"),
        ("time", "time_ns"),
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("datetime", "today"),
    }
    wrong = []
    for path, tree in modules(package):
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {(f.value.id, f.attr) for f in calls if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name)}
        if names & forbidden and path not in CLOCKS:
            wrong.append((path, names & forbidden))
    assert wrong == []
