"""Analytics: the tracks of a frame in, what they mean out. See DESIGN.md in this folder."""

from agent.analytics.presence import Presence

__all__ = ["Presence"]
