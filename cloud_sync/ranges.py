"""Sets of whole numbers as ranges, both ends included."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable


def merge(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same numbers in as few ranges as possible, ascending."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def add(ranges: list[tuple[int, int]], first: int, last: int) -> None:
    """Add the numbers ``first`` to ``last`` to merged ranges, in place; at once where they come in order."""
    if not ranges or first > ranges[-1][1] + 1:
        ranges.append((first, last))
    elif first == ranges[-1][1] + 1:
        ranges[-1] = (ranges[-1][0], last)
    else:
        begin = bisect_left(ranges, first - 1, key=lambda one: one[1])
        end = bisect_right(ranges, last + 1, key=lambda one: one[0])
        ranges[begin:end] = merge([*ranges[begin:end], (first, last)])
