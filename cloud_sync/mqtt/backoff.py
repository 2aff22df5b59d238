"""When to try again."""

import random
from collections.abc import Callable


class Backoff:
    """Exponential delays with jitter: a thousand boxes must not come back in the same second."""

    def __init__(
        self,
        *,
        first_s: float,
        most_s: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Start with no failures.

        Args:
            first_s: Longest delay after the first failure; it doubles from there.
            most_s: Longest delay of all.
            jitter: Returns a number in [0, 1); a delay is between half and all of what is due.
        """
        self._first_s = first_s
        self._most_s = most_s
        self._jitter = jitter
        self.failures = 0

    def delay_s(self) -> float:
        """Count one more failure, and return how long to wait now."""
        due_s = min(self._most_s, self._first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return due_s * (0.5 + 0.5 * self._jitter())

    def reset(self) -> None:
        """Start anew: it worked."""
        self.failures = 0
