"""Recurring work, through APScheduler, which plans by the wall clock; here it survives a clock that is set."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from agent.clock import STEP_NS
from agent.types import Instant

log = structlog.get_logger()


class _Every(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires at intervals, and once for all that was missed.

    APScheduler's own lists each time that was missed before it drops all but one: after a step of a year that is
    minutes of work and gigabytes of memory for a job of each second, under the lock that everybody wants.
    """

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        due = (previous_fire_time or now) + self._interval
        return due if due > now else now + self._interval


class Schedule:
    """Runs functions at intervals, each at most once at a time; a failing one is logged, counted and runs again."""

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._intervals: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._offset_ns: int | None = None
        self._scheduler.add_listener(self._note, EVENT_JOB_ERROR | EVENT_JOB_EXECUTED)

    def every(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` each ``seconds``, first after one interval."""
        self._intervals[name] = seconds
        self._scheduler.add_job(work, _Every(seconds), id=name)

    def soon(self, name: str, now: Instant) -> None:
        """Run one of them now, off its turn; from any thread. Before it is known and after ``stop`` it does nothing."""
        with contextlib.suppress(JobLookupError):
            self._scheduler.modify_job(name, next_run_time=datetime.fromtimestamp(now.utc_ns / 1e9, UTC))

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """End, waiting for work that is under way."""
        self._scheduler.shutdown(wait=True)

    def look(self, now: Instant) -> bool:
        """Plan all anew if the wall clock was set since the last look; return whether it was. Call about once a second.

        Otherwise a clock set back by a year would leave everything waiting for that year to pass.
        """
        offset_ns = now.utc_ns - now.monotonic_ns
        before, self._offset_ns = self._offset_ns, offset_ns
        if before is None or abs(offset_ns - before) < STEP_NS:
            return False
        log.warning("clock_was_set", step_s=round((offset_ns - before) / 1e9, 1))
        for name, seconds in self._intervals.items():
            self._scheduler.reschedule_job(name, trigger=_Every(seconds))
        return True

    def _note(self, outcome: JobExecutionEvent) -> None:
        name = outcome.job_id
        if outcome.exception is None:
            if self._failures.pop(name, 0):
                log.info("job_works_again", job=name)
            return
        self._failures[name] = self._failures.get(name, 0) + 1
        if self._failures[name] == 1:
            error = outcome.exception
            log.error("job_failed", job=name, error=f"{type(error).__name__}: {error}")
