"""Keeps the daemon's threads alive: a thread that dies is noticed, logged, counted and started again.

A thread that hangs in native code cannot be ended from Python. It is noticed by its missing heartbeat: then the
watchdog is no longer fed, and the service manager restarts the whole.
"""

import random
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

Run = Callable[[threading.Event, Callable[[], None]], None]
"""A thread's work: runs until the event is set, calls the function at least every few seconds, returns when done."""

RESTART_FIRST_S = 1.0
RESTART_MOST_S = 60.0
HEALTHY_AFTER_S = 120.0
"""A thread that ran this long starts its backoff anew."""


class _Task:
    def __init__(self, name: str, run: Run, hang_after_s: float) -> None:
        self.name = name
        self.hang_after_s = hang_after_s
        self.stop = threading.Event()
        self.restarts = 0
        self.finished = False
        self.thread: threading.Thread | None = None
        self._run = run
        self._backoff_s = RESTART_FIRST_S
        self._started_at = self._beat_at = time.monotonic()
        self._start_at = 0.0
        self._hanging = False

    def start(self) -> None:
        self._started_at = self._beat_at = time.monotonic()
        self.thread = threading.Thread(target=self._guarded, name=self.name, daemon=True)
        self.thread.start()

    def beat(self) -> None:
        self._beat_at = time.monotonic()

    def _guarded(self) -> None:
        try:
            self._run(self.stop, self.beat)
            self.finished = True
        except Exception as error:
            log.error("thread_died", thread=self.name, error=f"{type(error).__name__}: {error}", restarts=self.restarts)
            log.debug("thread_died_at", thread=self.name, exc_info=error)

    def look(self) -> bool:
        """Start it again if it died and its pause is over; return whether it is well."""
        now = time.monotonic()
        if self.finished or self.stop.is_set():
            return True
        if self.thread is not None and self.thread.is_alive():
            return self._look_at_beat(now)
        if self.thread is not None:
            self._plan_restart(now)
        elif now >= self._start_at:
            self.restarts += 1
            log.info("thread_restarted", thread=self.name, restarts=self.restarts)
            self.start()
        return True

    def _plan_restart(self, now: float) -> None:
        if now - self._started_at > HEALTHY_AFTER_S:
            self._backoff_s = RESTART_FIRST_S
        self._start_at = now + self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret
        self._backoff_s = min(self._backoff_s * 2, RESTART_MOST_S)
        self.thread = None

    def _look_at_beat(self, now: float) -> bool:
        hanging = now - self._beat_at > self.hang_after_s
        if hanging and not self._hanging:
            log.error("thread_hangs", thread=self.name, silent_s=round(now - self._beat_at))
        elif self._hanging and not hanging:
            log.info("thread_moves_again", thread=self.name)
        self._hanging = hanging
        return not hanging


class Supervisor:
    """Starts threads by name, watches them, and stops them in the order the caller wants."""

    def __init__(self) -> None:
        """Start with no threads."""
        self._tasks: dict[str, _Task] = {}

    def start(self, name: str, run: Run, *, hang_after_s: float = 60.0) -> None:
        """Start a thread and keep it running until ``stop`` or until ``run`` returns.

        Args:
            name: Unique; appears in the log.
            run: The work. A return means done; an exception means start again, after a jittered, growing pause.
            hang_after_s: Without a heartbeat for so long it counts as hanging.
        """
        assert name not in self._tasks
        task = self._tasks[name] = _Task(name, run, hang_after_s)
        task.start()

    def look(self) -> bool:
        """Look at all threads once, restarting what died; return whether none hangs. Call about once a second."""
        well = [task.look() for task in self._tasks.values()]  # all of them, not only up to the first that hangs
        return all(well)

    def finished(self, name: str) -> bool:
        """Tell whether a thread's work came to its end by itself."""
        return self._tasks[name].finished

    @property
    def restarts(self) -> int:
        """How often a thread had to be started again."""
        return sum(task.restarts for task in self._tasks.values())

    def stop(self, *names: str, timeout_s: float) -> None:
        """Tell threads to stop, and wait for them together; those that do not are logged and left behind."""
        tasks = [self._tasks.pop(name) for name in names]
        for task in tasks:
            task.stop.set()
        deadline = time.monotonic() + timeout_s
        for task in tasks:
            if task.thread is None:
                continue
            task.thread.join(max(0.0, deadline - time.monotonic()))
            if task.thread.is_alive():
                log.warning("thread_did_not_stop", thread=task.name, waited_s=timeout_s)
