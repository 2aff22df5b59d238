"""Stretches of time: sorted, apart, ``(begin, end)`` with the end excluded, in any unit."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the same time in as few spans as possible, ascending; empty ones go."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def clip(spans: Iterable[Span], window: Span) -> list[Span]:
    """Return what of the spans lies in the window."""
    pieces = ((max(begin, window[0]), min(end, window[1])) for begin, end in spans)
    return [(begin, end) for begin, end in pieces if begin < end]


def near(spans: Sequence[Span], window: Span) -> Sequence[Span]:
    """Return the spans that reach into the window, whole."""
    first = bisect_right(spans, window[0], key=lambda span: span[1])
    return spans[first : bisect_left(spans, window[1], key=lambda span: span[0])]


def common(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    """Return what is in both."""
    return [piece for span in first for piece in clip(near(second, span), span)]


def without(spans: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """Return what of the spans is not in ``taken``."""
    left: list[Span] = []
    for begin, end in spans:
        at = begin
        for taken_begin, taken_end in clip(near(taken, (begin, end)), (begin, end)):
            if at < taken_begin:
                left.append((at, taken_begin))
            at = taken_end
        if at < end:
            left.append((at, end))
    return left


def length(spans: Iterable[Span]) -> int:
    """Return how long they are together."""
    return sum(end - begin for begin, end in spans)
