"""Analytics: the tracks of a frame in, what they mean out. See DESIGN.md in this folder."""

from agent.analytics.analysis import Analysis
from agent.analytics.factory import create_analyses
from agent.analytics.presence import Presence

__all__ = ["Analysis", "Presence", "create_analyses"]
