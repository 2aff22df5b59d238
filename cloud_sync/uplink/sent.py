"""Which entries this run has sent: an ack settles these, and no others."""

from collections.abc import Iterable

from cloud_sync.ranges import add, merge


class Sent:
    """Seqs that were handed to a broker and not settled since, as few ranges as possible.

    The cloud may honestly have more of a stream than this run has sent: a stick was quicker, an ack was lost with an
    earlier run. But where a database was restored from an old copy it has the same numbers with other content, and
    finds out by what is sent. So what was not sent is sent, whatever an ack says of its number.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._ranges: list[tuple[int, int]] = []

    def add(self, first: int, last: int) -> None:
        """Note that the entries ``first`` to ``last`` were sent."""
        add(self._ranges, first, last)

    def take(self, covered: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return what of these ranges was sent, ascending, and forget it."""
        taken: list[tuple[int, int]] = []
        left: list[tuple[int, int]] = []
        wanted = merge(covered)
        for first, last in self._ranges:
            at = first
            for begin, end in wanted:
                begins, ends = max(at, begin), min(last, end)
                if begins <= ends:
                    if at < begins:
                        left.append((at, begins - 1))
                    taken.append((begins, ends))
                    at = ends + 1
            if at <= last:
                left.append((at, last))
        self._ranges = left
        return taken

    def clear(self) -> None:
        """Forget all: the numbers belong to another stream now."""
        self._ranges.clear()
