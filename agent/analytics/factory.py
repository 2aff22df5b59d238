"""Which analyses a camera gets, by its configuration."""

from collections.abc import Callable, Sequence
from functools import partial

from agent.analytics.analysis import Analysis
from agent.analytics.farm import create_farm_analyses
from agent.analytics.lines import LineAnalysis
from agent.analytics.row import RowCount
from agent.analytics.zones import ZoneAnalysis
from agent.config import CameraConfig
from agent.errors import ConfigError


def create_analyses(camera: CameraConfig, class_names: Sequence[str]) -> tuple[Analysis, ...]:
    """Return what the configuration of a camera asks for of its tracks; by default nothing beyond presence.

    Args:
        camera: Its configuration.
        class_names: Of the model, by class index.

    Raises:
        ConfigError: Something in it does not fit the model, such as a class that it does not know.
    """
    analyses: list[Analysis] = []
    if camera.zones:
        analyses.append(ZoneAnalysis(camera.zones, camera.name, class_names))
    if camera.lines:
        analyses.append(LineAnalysis(camera.lines, camera.name, class_names))
    return (*analyses, *create_farm_analyses(camera.farm, camera.name, class_names))


def find_class_problems(camera: CameraConfig, class_names: Sequence[str]) -> list[str]:
    """Return what does not fit the model in each part of a camera's configuration, one line a part.

    Args:
        camera: Its configuration.
        class_names: Of the model, by class index.
    """
    parts: list[Callable[[], object]] = [
        *(partial(ZoneAnalysis, (zone,), camera.name, class_names) for zone in camera.zones),
        *(partial(LineAnalysis, (line,), camera.name, class_names) for line in camera.lines),
        partial(create_farm_analyses, camera.farm, camera.name, class_names),
    ]
    problems = []
    for create in parts:
        try:
            create()
        except ConfigError as error:
            problems.append(str(error))
    return problems


def create_row(camera: CameraConfig, class_names: Sequence[str]) -> RowCount | None:
    """Return what counts the fruit of the row that a camera passes; None where it passes none.

    Args:
        camera: Its configuration.
        class_names: Of the model, by class index.
    """
    if camera.row is None:
        return None
    return RowCount(camera.row, camera.name, class_names)
