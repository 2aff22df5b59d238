"""Which backend runs a model best on this box: measured once, remembered, measured again when anything changed.

A start never waits for it: where nothing is remembered the usual winner runs, and ``BackendTrials`` measures meanwhile.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from agent.detection.bundled import int8_of
from agent.detection.model_file import Kind, ModelFile
from agent.detection.trial import Trial, try_backend
from agent.files import write_atomically

log = structlog.get_logger()

BACKENDS: dict[Kind, tuple[str, ...]] = {
    "onnx": ("openvino", "onnxruntime"),
    "openvino": ("openvino",),
    "ultralytics": ("ultralytics",),
}
"""What can run each kind of model, the usual winner first."""

INT8 = "openvino-int8"
"""A candidate beside the runtimes: OpenVINO with the eight-bit form of the bundled model."""

MEMORY = "backends.json"
"""The file in the data directory that remembers."""

_ALIKE = 1.1  # backends within 10% are equally fast: then the one that costs less CPU time wins
_REMEMBERED = 8  # tables; a box has few models
_PACKAGES = ("openvino", "onnxruntime", "ultralytics", "torch", "hedgerow")


@dataclass(frozen=True, slots=True)
class BackendTable:
    """What was measured of a model on this box, and what was chosen by it."""

    chosen: str
    trials: tuple[Trial, ...]


def installed_backends(kind: Kind) -> list[str]:
    """Return the backends that can run a kind of model and are installed here, the usual winner first."""
    return [backend for backend in BACKENDS[kind] if importlib.util.find_spec(backend) is not None]


def _candidates(file: ModelFile) -> list[str]:
    """Return what may run a model here, the usual winner first."""
    installed = installed_backends(file.kind)
    return [*installed, INT8] if "openvino" in installed and int8_of(file.path) is not None else installed


def _try(file: ModelFile, candidate: str, threads: int) -> Trial:
    int8 = int8_of(file.path) if candidate == INT8 else None
    if int8 is None:
        return try_backend(file.path, candidate, threads=threads)
    return replace(try_backend(int8, "openvino", threads=threads), backend=INT8)


def choose_backend(file: ModelFile, memory: Path, *, threads: int) -> str:
    """Return the best backend by what is remembered; where nothing is, the usual winner.

    Args:
        file: The model; at least one backend for its kind is installed.
        memory: Folder that remembers.
        threads: As the detector will be opened with.
    """
    candidates = _candidates(file)
    if len(candidates) == 1:
        return candidates[0]
    table = _recall(memory / MEMORY, _key(file, candidates, threads))
    chosen = table.chosen if table else candidates[0]
    figures = {trial.backend: trial.wall_ms or trial.problem for trial in table.trials} if table else {}
    log.info("backend_chosen", backend=chosen, model=file.path.name, ms=figures, remembered=table is not None)
    return chosen


def measure_if_new(file: ModelFile, memory: Path, *, threads: int) -> bool:
    """Measure where there is a choice of which nothing is remembered; return whether nothing is left to do."""
    candidates = _candidates(file)
    if len(candidates) < 2 or _recall(memory / MEMORY, _key(file, candidates, threads)):
        return True
    table = measure_backends(file, memory, threads=threads)
    if not all(trial.steady for trial in table.trials):
        return False
    log.info("backends_measured", best=table.chosen, model=file.path.name, hint="the next start takes it")
    return True


def measure_backends(file: ModelFile, memory: Path | None, *, threads: int) -> BackendTable:
    """Measure all installed backends with a model, one after the other, and remember the table where one may."""
    candidates = _candidates(file)
    trials = tuple(_try(file, candidate, threads) for candidate in candidates)
    table = BackendTable(best_backend(trials), trials)
    steady = all(trial.steady for trial in trials)
    if not steady:
        log.warning(
            "backends_measured_while_busy", chosen=table.chosen, hint="not remembered: it is measured again later"
        )
    if memory is not None and steady and any(trial.wall_ms for trial in trials):
        _remember(memory / MEMORY, _key(file, candidates, threads), table)
    return table


def best_backend(trials: Sequence[Trial]) -> str:
    """Return the fastest, or of those about as fast the one that costs least CPU time.

    Where none ran it is the first, and where times were not steady the first that ran: the usual winner.
    """
    ran = [trial for trial in trials if trial.wall_ms is not None and trial.cpu_ms is not None]
    if not ran:
        return trials[0].backend
    if not all(trial.steady for trial in ran):
        return ran[0].backend
    fastest = min(trial.wall_ms or 0.0 for trial in ran)
    alike = [trial for trial in ran if (trial.wall_ms or 0.0) <= _ALIKE * fastest]
    return min(alike, key=lambda trial: trial.cpu_ms or 0.0).backend


def _key(file: ModelFile, candidates: Sequence[str], threads: int) -> str:
    """Return what names a measurement: another model, processor, runtime or number of threads is another."""
    versions = {}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    facts = [file.sha256, _processor(), len(os.sched_getaffinity(0)), threads, versions, list(candidates)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _processor() -> str:
    """Return the processor's name as the kernel gives it; boards with ARM processors give parts of it only."""
    names = ("model name", "CPU implementer", "CPU part", "Hardware", "flags", "Features")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    told = {line for line in lines if line.split("\t")[0].rstrip(" :") in names}
    return "\n".join([platform.machine(), *sorted(told)])


def _recall(path: Path, key: str) -> BackendTable | None:
    """Return the remembered table; None where there is none, or the file is not what was written."""
    return next((table for remembered, table in _read(path) if remembered == key), None)


def _read(path: Path) -> list[tuple[str, BackendTable]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [(str(entry["key"]), _table(entry)) for entry in entries]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("backend_memory_ignored", file=str(path), error=f"{type(error).__name__}: {error}")
        return []


def _table(entry: dict[str, Any]) -> BackendTable:
    table = BackendTable(str(entry["chosen"]), tuple(Trial(**trial) for trial in entry["trials"]))
    if table.chosen not in {trial.backend for trial in table.trials}:
        raise ValueError(f"chosen {table.chosen!r} is not in its table")
    return table


def _remember(path: Path, key: str, table: BackendTable) -> None:
    others = [(other, remembered) for other, remembered in _read(path) if other != key][: _REMEMBERED - 1]
    entries = [{"key": other, **asdict(remembered)} for other, remembered in [(key, table), *others]]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(entries, indent=1).encode())
    except OSError as error:
        log.warning("backend_not_remembered", file=str(path), error=error.strerror)
