"""Measuring backends while the agent works, so that no start waits for it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.detection.choice import measure_if_new
from agent.detection.model_file import read_model_file
from agent.errors import FatalError

_AFTER_S = 300.0  # a start has much to do, and a box that was just set up is looked at
_MOST_S = 120.0  # of the measuring of one model


class BackendTrials:
    """Finds out, once the agent has settled, which backend is best for its models: the next start takes it.

    For about two seconds a backend and model, frames come later than usual.
    """

    def __init__(self, models: Sequence[Path], memory: Path, *, threads: int, after_s: float = _AFTER_S) -> None:
        """Take what to measure.

        Args:
            models: Their files.
            memory: Folder that remembers.
            threads: As the detector was opened with.
            after_s: Wait so long before each attempt; one that was disturbed is made again.
        """
        self._models, self._memory, self._threads, self._after_s = models, memory, threads, after_s

    @property
    def longest_silence_s(self) -> float:
        """How long it may go without a beat."""
        return max(self._after_s, _MOST_S)

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Measure what is new; done when nothing is left, or at ``stop``."""
        left = list(self._models)
        while left and not stop.wait(self._after_s):
            beat()
            if self._is_done(left[0]):
                left.pop(0)

    def _is_done(self, model: Path) -> bool:
        try:
            return measure_if_new(read_model_file(model), self._memory, threads=self._threads)
        except FatalError:
            return True  # gone since it was opened: the next start says so
