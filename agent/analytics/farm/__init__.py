"""Measures of fruit and leaves: ripeness, size, canopy, and a word when a camera sees much less than it is used to."""

from agent.analytics.farm.canopy import Canopy
from agent.analytics.farm.factory import create_farm_analyses
from agent.analytics.farm.ripeness import Ripeness
from agent.analytics.farm.size import FruitSize
from agent.analytics.farm.trend import CanopyTrend, DailyValue

__all__ = ["Canopy", "CanopyTrend", "DailyValue", "FruitSize", "Ripeness", "create_farm_analyses"]
