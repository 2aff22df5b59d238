"""All checks of a box, in an order that keeps measurements steady: what measures speed runs alone."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.config import Config
from agent.detection.choice import BackendTable, installed_backends, measure_backends
from agent.detection.model_file import read_model_file
from agent.detection.trial import Trial
from agent.doctor.broker import look_at_broker
from agent.doctor.camera import longest_look_s, look_at_camera
from agent.doctor.clock import look_at_clock
from agent.doctor.disk import look_at_disk
from agent.doctor.finding import Check, Finding, Level, Running
from agent.doctor.permissions import look_at_permissions
from agent.doctor.service import look_at_service
from agent.errors import FatalError

_TRIAL_S = 35.0  # for each backend


@dataclass(frozen=True, slots=True)
class Examination:
    """What the doctor found; ``backends`` is None where no model could be measured."""

    findings: tuple[Finding, ...]
    backends: BackendTable | None

    @property
    def failed(self) -> bool:
        """Whether anything does not work."""
        return any(finding.level is Level.FAIL for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        backends = None if self.backends is None else asdict(self.backends)
        return {"failed": self.failed, "findings": [asdict(finding) for finding in self.findings], "backends": backends}


def examine(
    config: Config | None,
    file: Path | None,
    clock: Clock,
    *,
    model: Callable[[], Path],
    on_finding: Callable[[Finding], None],
) -> Examination:
    """Check everything that a box needs; nothing hangs, since each check ends by its time limit.

    Args:
        config: The box's configuration; without one only the machine and the model are checked.
        file: Where it was read from.
        clock: The machine's.
        model: Gives the model that will run; may raise FatalError, which becomes a finding.
        on_finding: Called with each finding as it is known.
    """
    findings: list[Finding] = []

    def note(found: list[Finding]) -> None:
        findings.extend(found)
        for finding in found:
            on_finding(finding)

    measured: list[BackendTable] = []
    note(Running("model", lambda: _model(config, model, measured), 4 * _TRIAL_S).result())
    if config is not None:
        data_dir = config.storage.data_dir
        note(Running("disk", lambda: look_at_disk(data_dir), 60.0).result())
    runs = _chosen(config, measured[0]) if measured else None
    running = [Running(name, check, timeout_s) for name, check, timeout_s in _other_checks(config, file, clock, runs)]
    for each in running:
        note(each.result())
    return Examination(tuple(findings), measured[0] if measured else None)


def _other_checks(
    config: Config | None, file: Path | None, clock: Clock, runs: Trial | None
) -> list[tuple[str, Check, float]]:
    checks: list[tuple[str, Check, float]] = [
        ("clock", lambda: look_at_clock(clock), 5.0),
        ("service", look_at_service, 10.0),
    ]
    if config is not None and file is not None:
        checks.append(("permissions", lambda: look_at_permissions(config, file), 10.0))
        checks.append(("broker", lambda: look_at_broker(config), 60.0))
        checks += [
            (f"camera {camera.name}", partial(look_at_camera, camera, runs), longest_look_s(camera) + 5.0)
            for camera in config.cameras
        ]
    return checks


def _model(config: Config | None, find: Callable[[], Path], measured: list[BackendTable]) -> list[Finding]:
    """Measure the model on every runtime that is installed, and remember it for the agent."""
    try:
        model = find()
        file = read_model_file(model)
    except FatalError as error:
        return [Finding("model", Level.FAIL, str(error), "give the right model.path, or `hedgerow models add` it")]
    if not installed_backends(file.kind):
        return [Finding("model", Level.FAIL, f"nothing here runs {model}", "pip install 'hedgerow[ultralytics]'")]
    memory = None if config is None else config.storage.data_dir
    table = measure_backends(file, memory, threads=0 if config is None else config.model.threads)
    measured.append(table)
    runs = _chosen(config, table)
    if runs is None:
        backends = ", ".join(trial.backend for trial in table.trials)
        text = f"the backend of the configuration does not run {model} here"
        return [Finding("model", Level.FAIL, text, f"allowed as model.backend: auto, {backends}")]
    if runs.wall_ms is None:
        return [
            Finding("model", Level.FAIL, f"{model} does not run on {runs.backend}: {runs.problem}", "use another model")
        ]
    text = (
        f"{model.name} on {runs.backend} ({runs.precision}): {runs.wall_ms:.0f} ms and {runs.cpu_ms:.0f} CPU ms a frame"
    )
    if not all(trial.steady for trial in table.trials):
        return [Finding("model", Level.WARN, f"{text}, but times scatter", "measure again while the box is quiet")]
    return [Finding("model", Level.OK, text)]


def _chosen(config: Config | None, table: BackendTable) -> Trial | None:
    """Return how the backend ran that the agent will take; None where it was not among those measured."""
    asked = "auto" if config is None else config.model.backend
    wanted = table.chosen if asked == "auto" else asked
    return next((trial for trial in table.trials if trial.backend == wanted), None)
