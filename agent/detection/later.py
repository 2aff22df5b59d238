"""Measuring backends while the agent works, so that no start waits for it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.detection.choice import measure_if_new
from agent.detection.model_file import read_model_file
from agent.errors import FatalError

_AFTER_S = 300.0  # a start has much to do, and a box that was just set up is looked at
_SELDOM_S = 86_400.0  # a box that is always busy is not disturbed for ever
_MOST_S = 120.0  # of the measuring of one model
_SLICE_S = 10.0


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
            after_s: Wait so long before each model; after an attempt that was disturbed, twice as long as before it.
        """
        self._models, self._memory, self._threads, self._after_s = models, memory, threads, after_s

    @property
    def longest_silence_s(self) -> float:
        """How long it may go without a beat."""
        return _MOST_S

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Measure what is new; done when nothing is left, or at ``stop``."""
        left, wait_s = list(self._models), self._after_s
        while left and not _wait(wait_s, stop, beat):
            if self._is_done(left[0]):
                left.pop(0)
            else:
                wait_s = min(2 * wait_s, _SELDOM_S)

    def _is_done(self, model: Path) -> bool:
        try:
            return measure_if_new(read_model_file(model), self._memory, threads=self._threads)
        except FatalError:
            return True  # gone since it was opened: the next start says so


def _wait(seconds: float, stop: threading.Event, beat: Callable[[], None]) -> bool:
    """Wait, beating; return whether ``stop`` was set."""
    slices, rest_s = divmod(seconds, _SLICE_S)
    for slice_s in (*[_SLICE_S] * int(slices), rest_s):
        beat()
        if stop.wait(slice_s):
            return True
    return False
