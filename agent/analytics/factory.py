"""Which analyses a camera gets, by its configuration."""

from collections.abc import Sequence

from agent.analytics.analysis import Analysis
from agent.analytics.farm import create_farm_analyses
from agent.analytics.lines import LineAnalysis
from agent.analytics.row import RowCount
from agent.analytics.zones import ZoneAnalysis
from agent.config import CameraConfig


def create_analyses(camera: CameraConfig, class_names: Sequence[str], *, confidence: float) -> tuple[Analysis, ...]:
    """Return what the configuration of a camera asks for; by default nothing beyond presence.

    Args:
        camera: Its configuration.
        class_names: Of the model, by class index.
        confidence: Score from which a detection may start a track.

    Raises:
        ConfigError: Something in it does not fit the model, such as a class that it does not know.
    """
    analyses: list[Analysis] = []
    if camera.zones:
        analyses.append(ZoneAnalysis(camera.zones, camera.name, class_names))
    if camera.lines:
        analyses.append(LineAnalysis(camera.lines, camera.name, class_names))
    if camera.row is not None:
        analyses.append(RowCount(camera.row, camera.name, class_names, confidence=confidence))
    return (*analyses, *create_farm_analyses(camera.farm, camera.name, class_names))
