"""Summaries: observations in, rollups out. See DESIGN.md in this folder."""

from agent.summaries.window import RollupWindows, merge, merge_measures

__all__ = ["RollupWindows", "merge", "merge_measures"]
