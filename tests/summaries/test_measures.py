"""Measures and places in windows: readings add up, a part is merged, a window is where the camera mostly was."""

import pytest

from agent.summaries import RollupWindows, merge_measures
from agent.types import ANY, ClassCount, Instant, Measure, MeasureRollup, Observation, Rollup

START_S = 1_800_000_000
NOTHING = (ClassCount(ANY, ANY, 0, 0, 0.0),)


def at(second: float) -> Instant:
    return Instant(round((START_S + second) * 1e9), round(second * 1e9), 1)


def observe(windows: RollupWindows, second: float, *values: float, place: str = "", observed_s: float = 1.0) -> None:
    measures = tuple(Measure("gate", "car", "speed_m_s", value) for value in values)
    windows.add(Observation("cam", at(second), round(observed_s * 1e9), NOTHING, measures, place=place))


def test_readings_of_a_window():
    """Count, total and extremes are those of the readings in the window, and of no other."""
    windows = RollupWindows(60)
    observe(windows, 10, 3.0)
    observe(windows, 20, 5.0, 1.0)
    observe(windows, 70, 100.0)
    first = [row for row in windows.close(at(65)) if isinstance(row, MeasureRollup)]
    assert first == [MeasureRollup("cam", "gate", "car", "speed_m_s", START_S, 60, 1, 3, 9.0, 1.0, 5.0)]
    later = [row for row in windows.flush(at(80)) if isinstance(row, MeasureRollup)]
    assert [(row.window_start_s, row.total) for row in later] == [(START_S + 60, 100.0)]


def test_parts_add_up():
    """Two parts of a window are one: sums add, extremes are the extremes of both; strangers are refused."""
    first = MeasureRollup("cam", "gate", "car", "speed_m_s", START_S, 60, 1, 3, 9.0, 1.0, 5.0)
    second = MeasureRollup("cam", "gate", "car", "speed_m_s", START_S, 60, 1, 1, 7.0, 7.0, 7.0)
    both = merge_measures(first, second)
    assert (both.count, both.total, both.least, both.most) == (4, 16.0, 1.0, 7.0)
    with pytest.raises(ValueError, match="different keys"):
        merge_measures(first, MeasureRollup("cam", "gate", "car", "dwell_s", START_S, 60, 1, 1, 7.0, 7.0, 7.0))


def test_window_is_where_the_camera_was_for_longest():
    """A camera that moves on within a window: the window carries the place of most of its time, empty where unknown."""
    windows = RollupWindows(60)
    for second in range(1, 21):
        observe(windows, second, place="row-1")
    for second in range(21, 60):
        observe(windows, second, place="row-2")
    observe(windows, 70)
    rows = [row for row in windows.flush(at(80)) if isinstance(row, Rollup)]
    assert [(row.window_start_s - START_S, row.place) for row in rows] == [(0, "row-2"), (60, "")]
