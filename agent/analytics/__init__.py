"""Analytics: the tracks of a frame in, what they mean out. See DESIGN.md in this folder."""

from agent.analytics.lines import LineAnalysis
from agent.analytics.presence import Presence
from agent.analytics.zones import ZoneAnalysis

__all__ = ["LineAnalysis", "Presence", "ZoneAnalysis"]
