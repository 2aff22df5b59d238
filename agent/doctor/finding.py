"""What a check found, and how checks are kept from hanging."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # works, but look at it
    FAIL = "fail"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: what was looked at, how it is, and what to do about it."""

    check: str  # e.g. "disk", "camera north-row"
    level: Level
    text: str
    advice: str = ""  # empty when all is well


Check = Callable[[], list[Finding]]


class Running:
    """A check at work in a thread of its own, given up when its time is over."""

    def __init__(self, name: str, check: Check, timeout_s: float) -> None:
        """Start it."""
        self._name, self._timeout_s = name, timeout_s
        self._found: list[Finding] = []
        self._thread = threading.Thread(target=self._run, args=(check,), name=f"doctor-{name}", daemon=True)
        self._thread.start()

    def _run(self, check: Check) -> None:
        try:
            self._found = check()
        except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others found
            text = f"the check itself failed: {type(error).__name__}: {error}"
            self._found = [Finding(self._name, Level.FAIL, text, "please report this")]

    def result(self) -> list[Finding]:
        """Wait for it, and return what it found, or that it did not end in time."""
        self._thread.join(self._timeout_s)
        if self._thread.is_alive():
            text = f"no answer within {self._timeout_s:g} s"
            return [Finding(self._name, Level.FAIL, text, "something below it hangs: a disk, a device or a network")]
        return self._found
