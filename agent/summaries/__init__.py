"""Summaries: observations in, rollups out. See DESIGN.md in this folder."""

from agent.summaries.window import RollupWindows, merge

__all__ = ["RollupWindows", "merge"]
