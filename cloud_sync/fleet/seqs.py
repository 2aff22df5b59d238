"""Which seqs of a stream have not come, and of what time they may be. Pure."""

from collections.abc import Iterable, Iterator

Range = tuple[int, int]
"""Seqs, both ends included."""


def gaps(received: Iterable[Range], *, next_seq: int | None) -> Iterator[Range]:
    """Yield what is missing.

    Args:
        received: Ascending, apart.
        next_seq: The seq that the box said it gives next, if it did: what is before it exists.
    """
    expected = 1
    for first, last in received:
        if first > expected:
            yield expected, first - 1
        expected = last + 1
    if next_seq is not None and next_seq > expected:
        yield expected, next_seq - 1


def count(ranges: Iterable[Range]) -> int:
    """Return how many seqs these are."""
    return sum(last - first + 1 for first, last in ranges)
