"""Recurring work goes on when a job fails and when the clock is set."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import ManualClock, SystemClock
from agent.schedule import Schedule


@pytest.fixture
def schedule():
    made = Schedule()
    yield made
    made.stop()


def test_failing_job_runs_again(schedule: Schedule):
    """A job that raises is run at its next time, and does not stop another."""
    runs, enough, other = [], threading.Event(), threading.Event()

    def fails():
        runs.append(1)
        if len(runs) == 3:
            enough.set()
        raise ValueError("no")

    schedule.every(0.05, "fails", fails)
    schedule.every(0.05, "works", other.set)
    schedule.start()
    assert enough.wait(5)
    assert other.wait(5)


def test_job_runs_off_its_turn(schedule: Schedule):
    """A job of each hour runs now when asked to; one that is not known is no error."""
    ran = threading.Event()
    schedule.every(3600, "job", ran.set)
    schedule.start()
    schedule.soon("nobody", SystemClock().now())
    assert not ran.is_set()
    schedule.soon("job", SystemClock().now())
    assert ran.wait(5)


def test_clock_set_back_does_not_stop_work(schedule: Schedule):
    """After the clock went back a year, what was planned for next year is planned for now."""
    ran = threading.Event()
    schedule.every(0.2, "job", ran.set)
    schedule.start()
    job = schedule._scheduler.get_job("job")
    job.modify(next_run_time=datetime.now(UTC) + timedelta(days=365))  # as it looks after the step
    clock = ManualClock()
    assert not schedule.look(clock.now())
    clock.advance(1)
    assert not schedule.look(clock.now())
    clock.step_utc(-365 * 86400)
    ran.clear()
    assert schedule.look(clock.now())
    assert ran.wait(5)


def test_time_that_passes_is_no_step(schedule: Schedule):
    """A long pause moves both clocks: nothing is planned anew."""
    now = ManualClock().now()
    schedule.start()
    assert not schedule.look(now)
    later = replace(now, utc_ns=now.utc_ns + 10**13, monotonic_ns=now.monotonic_ns + 10**13)
    assert not schedule.look(later)


@pytest.mark.timeout(20)
def test_clock_set_forward_makes_up_for_nothing(schedule: Schedule):
    """After the clock went forward sixty years, as on a box without a battery, a job runs once and then as planned."""
    runs, again = [], threading.Event()

    def work():
        runs.append(datetime.now(UTC))
        if len(runs) == 3:
            again.set()

    schedule.every(1, "job", work)
    schedule.start()
    schedule._scheduler.get_job("job").modify(next_run_time=datetime(1970, 1, 1, tzinfo=UTC))  # as after the step
    assert again.wait(10)
    assert (runs[2] - runs[0]).total_seconds() > 1.5
