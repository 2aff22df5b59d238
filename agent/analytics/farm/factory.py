"""Which farm measures a camera takes, by its configuration."""

from collections.abc import Sequence

from agent.analytics.analysis import Analysis
from agent.analytics.farm.canopy import Canopy
from agent.analytics.farm.ripeness import Ripeness
from agent.analytics.farm.size import FruitSize
from agent.config import FarmConfig


def create_farm_analyses(config: FarmConfig, camera: str, class_names: Sequence[str]) -> tuple[Analysis, ...]:
    """Return the analyses that a camera's ``farm`` section asks for; by default none.

    Args:
        config: Of the camera.
        camera: For messages.
        class_names: Of the model, by class index.

    Raises:
        ConfigError: A reference of ripeness does not fit the model or itself.
    """
    analyses: list[Analysis] = []
    if config.ripeness:
        analyses.append(Ripeness(config, camera, class_names))
    if config.fruit_size:
        analyses.append(FruitSize(config, class_names))
    if config.canopy:
        analyses.append(Canopy(config))
    return tuple(analyses)
