"""The clock of a box: what it follows, and what it does not."""

import threading

import pytest

from agent.clock import NOT_BEFORE_NS, BoxClock, ManualClock, Stretch

TRUE_NS = 1_790_000_000 * 10**9
YEAR_S = 365 * 86_400


def box_clock(
    machine: ManualClock, *, unset: bool = False, offset_ns: int | None = None, vouched: bool = False
) -> BoxClock:
    now = machine.now()
    offset_ns = now.utc_ns - now.monotonic_ns if offset_ns is None else offset_ns
    return BoxClock(Stretch(4, offset_ns, unset), known_ns=NOT_BEFORE_NS, raw=machine, synchronised=lambda: vouched)


@pytest.mark.parametrize("step_s", [0, 1.9, -1.9])
def test_small_steps_are_followed(step_s: float):
    """What NTP corrects all the time begins nothing new."""
    machine = ManualClock(utc_ns=TRUE_NS)
    clock = box_clock(machine)
    machine.step_utc(step_s)
    machine.advance(10)
    assert (clock.now().utc_ns, clock.now().boot) == (TRUE_NS + round((10 + step_s) * 1e9), 4)


@pytest.mark.parametrize("step_s", [2.5, -2.5, YEAR_S, -YEAR_S / 2])
def test_each_setting_has_a_number(step_s: float):
    """The first instant after it has the new time and the new number, both: no row is told by a mixture."""
    machine = ManualClock(utc_ns=TRUE_NS)
    clock = box_clock(machine)
    machine.step_utc(step_s)
    now = clock.now()
    assert (now.utc_ns, now.boot) == (TRUE_NS + round(step_s * 1e9), 5)
    machine.step_utc(-step_s)
    assert (clock.now().utc_ns, clock.now().boot) == (TRUE_NS, 6)


def test_slewing_is_followed_however_far_it_goes():
    """A clock that is drawn slowly to the true time is not set."""
    machine = ManualClock(utc_ns=TRUE_NS)
    clock = box_clock(machine)
    for _ in range(100):
        machine.step_utc(0.5)
        machine.advance(1)
        clock.now()
    assert (clock.now().utc_ns, clock.now().boot) == (TRUE_NS + 150 * 10**9, 4)


def test_a_clock_that_cannot_be_right_is_not_followed():
    """In 1970 the time goes on as it went; the kernel's word alone makes such a clock believable."""
    machine = ManualClock(utc_ns=TRUE_NS)
    clock, vouched = box_clock(machine), box_clock(machine, vouched=True)
    machine.step_utc(-50 * YEAR_S)
    machine.advance(10)
    assert (clock.now().utc_ns, clock.now().boot) == (TRUE_NS + 10 * 10**9, 4)
    assert vouched.now().boot == 5
    machine.step_utc(50 * YEAR_S)
    assert (clock.now().utc_ns, clock.now().boot) == (TRUE_NS + 10 * 10**9, 4), "it is where it was"


def test_an_estimate_lasts_until_the_clock_is_set():
    """From a clock that was never set to another such nothing changes; the first that can be right counts anew."""
    machine = ManualClock(utc_ns=40 * 10**9)
    clock = box_clock(machine, unset=True, offset_ns=NOT_BEFORE_NS)
    machine.step_utc(YEAR_S)
    machine.advance(7)
    assert (clock.now().utc_ns, clock.stretch().unset) == (NOT_BEFORE_NS + 7 * 10**9, True)
    machine.step_utc(TRUE_NS / 1e9 - machine.now().utc_ns / 1e9)
    assert clock.stretch() == Stretch(5, TRUE_NS - machine.now().monotonic_ns, unset=False)


def test_threads_agree_on_the_number():
    """Sixteen threads meet one setting of the clock: it has one number for all."""
    machine = ManualClock(utc_ns=TRUE_NS)
    clock = box_clock(machine)
    machine.step_utc(YEAR_S)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(clock.now().boot)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert seen == [5] * 16
