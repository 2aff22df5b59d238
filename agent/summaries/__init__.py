"""Summaries: observations in, rollups out. See DESIGN.md in this folder."""

from agent.summaries.window import RollupWindows, add_up, merge, merge_measures

__all__ = ["RollupWindows", "add_up", "merge", "merge_measures"]
