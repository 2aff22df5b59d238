"""Analytics: the tracks of a frame in, what they mean out. See DESIGN.md in this folder."""

from agent.analytics.analysis import Analysis
from agent.analytics.factory import create_analyses, create_row, find_class_problems
from agent.analytics.lines import LineAnalysis
from agent.analytics.presence import Presence
from agent.analytics.row import RowCount
from agent.analytics.zones import ZoneAnalysis

__all__ = [
    "Analysis",
    "LineAnalysis",
    "Presence",
    "RowCount",
    "ZoneAnalysis",
    "create_analyses",
    "create_row",
    "find_class_problems",
]
