"""What must hold for an outline drawn by hand, before anything is computed with it.

Points are (x, y); scaling either axis changes none of the answers except the area.
"""

from collections.abc import Sequence

Point = tuple[float, float]


def area(outline: Sequence[Point]) -> float:
    """Return the area enclosed by an outline that does not cross itself; never negative.

    Source: the shoelace formula, A. L. F. Meister, 1769.
    """
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in _edges(outline))) / 2


def crosses_itself(outline: Sequence[Point]) -> bool:
    """Tell whether two sides that are no neighbours meet."""
    edges = _edges(outline)
    n = len(edges)
    return any(
        _meet(*edges[first], *edges[second])
        for first in range(n)
        for second in range(first + 2, n)
        if (second + 1) % n != first
    )


def is_convex(outline: Sequence[Point]) -> bool:
    """Tell whether an outline that does not cross itself turns one way only, at every corner."""
    n = len(outline)
    turns = [_turn(outline[k], outline[(k + 1) % n], outline[(k + 2) % n]) for k in range(n)]
    return all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)


def _edges(outline: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(zip(outline, [*outline[1:], outline[0]], strict=True))


def _turn(a: Point, b: Point, c: Point) -> float:
    """Return on which side of the way from a to b the point c lies: the sign; 0 on it."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Tell whether the sides from a to b and from c to d have a point in common.

    Source: Cormen et al., Introduction to Algorithms, section "Line-segment properties".
    """
    turns = _turn(c, d, a), _turn(c, d, b), _turn(a, b, c), _turn(a, b, d)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((a, c, d), (b, c, d), (c, a, b), (d, a, b))
    return any(turn == 0 and _between(*end) for turn, end in zip(turns, ends, strict=True))


def _between(point: Point, a: Point, b: Point) -> bool:
    """Tell whether a point that is on the line through a and b is in the rectangle of which they are corners."""
    return all(min(a[axis], b[axis]) <= point[axis] <= max(a[axis], b[axis]) for axis in (0, 1))
