"""Bytes of the day, and hours of contact: a real database, times passed in."""

from collections.abc import Callable

import pytest

from cloud_sync.mqtt import Traffic
from cloud_sync.outbox import DAY_MS, Usage
from cloud_sync.uplink.budget import SAVE_EVERY_S, Budget
from cloud_sync.uplink.contact import WAKE_AGAIN_S, WAKE_S, Contact
from cloud_sync.wire import DATA_CHANNELS, Channel
from tests.faults.ends import BoxEnd
from tests.waiting import eventually

NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


class Wall:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.ms = NOON_MS

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def wall() -> Wall:
    return Wall()


def budget_of(box: BoxEnd, wall: Wall, daily_bytes: int = 1000) -> Budget:
    return Budget(box.outbox, daily_bytes=daily_bytes, utc_ms=wall)


def test_what_is_spent_outlives_the_process(box: BoxEnd, wall: Wall) -> None:
    """Bytes of all connections of a day add up in the database, and the next run continues with them."""
    budget = budget_of(box, wall)
    budget.note(Traffic(100, 10))
    budget.note(Traffic(150, 30))
    budget.new_connection()
    budget.sent_data(15)
    budget.note(Traffic(20, 5))
    budget.step(0)
    eventually(lambda: box.outbox.usage(20_000) == Usage(170, 35, 15))
    assert budget_of(box, wall).today == Usage(170, 35, 15)


def test_connection_that_fails_costs_nothing_back(box: BoxEnd, wall: Wall) -> None:
    """While the next connection is dialled nothing is taken from what the last one cost."""
    budget = budget_of(box, wall)
    budget.note(Traffic(500, 100))
    budget.new_connection()
    budget.note(Traffic())
    assert budget.today == Usage(500, 100, 0)


def test_days_are_counted_apart(box: BoxEnd, wall: Wall) -> None:
    """A new day begins with nothing spent; a clock that is set back continues the day that it shows."""
    budget = budget_of(box, wall)
    budget.note(Traffic(900, 0))
    assert Channel.ROLLUP not in budget.channels()
    wall.ms += DAY_MS
    assert budget.channels() == (*DATA_CHANNELS, Channel.HEALTH)
    budget.note(Traffic(950, 0))
    assert budget.today == Usage(50, 0, 0)
    wall.ms -= DAY_MS
    assert Channel.ROLLUP not in budget.channels()
    assert budget.today == Usage(900, 0, 0)


def test_writes_are_few(box: BoxEnd, wall: Wall) -> None:
    """What is counted is saved at most every few seconds, whatever passes meanwhile."""
    budget = budget_of(box, wall)
    budget.note(Traffic(1, 0))
    budget.step(0)
    eventually(lambda: box.outbox.usage(20_000).sent_bytes == 1)
    budget.note(Traffic(2, 0))
    for now_s in range(1, int(SAVE_EVERY_S)):
        budget.step(now_s)
    assert box.outbox.usage(20_000).sent_bytes == 1
    budget.step(SAVE_EVERY_S)
    eventually(lambda: box.outbox.usage(20_000).sent_bytes == 2)


@pytest.mark.parametrize(
    ("spent", "waits"),
    [
        (0, set()),
        (600, {Channel.EVIDENCE}),
        (700, {Channel.EVIDENCE, Channel.HEALTH}),
        (800, {Channel.EVIDENCE, Channel.HEALTH, Channel.ROLLUP}),
        (5000, {Channel.EVIDENCE, Channel.HEALTH, Channel.ROLLUP, Channel.SHED, Channel.EVENT, Channel.CLOCK}),
    ],
)
def test_what_is_left_goes_by_urgency(box: BoxEnd, wall: Wall, spent: int, waits: set[Channel]) -> None:
    """The less urgent a channel, the sooner it waits; an alarm never does."""
    budget = budget_of(box, wall)
    budget.note(Traffic(spent - spent // 3, spent // 3))
    assert {*DATA_CHANNELS, Channel.HEALTH} - {*budget.channels()} == waits


def test_without_a_budget_nothing_waits(box: BoxEnd, wall: Wall) -> None:
    """0 is no limit."""
    budget = budget_of(box, wall, daily_bytes=0)
    budget.note(Traffic(10**12, 0))
    assert budget.channels() == (*DATA_CHANNELS, Channel.HEALTH)


def contact(box: BoxEnd, wall: Wall, opens_at: Callable[[int], int | None] | None, **more: bool) -> Contact:
    return Contact(box.outbox, budget_of(box, wall), utc_ms=wall, opens_at=opens_at, **more)


def test_box_sleeps_outside_its_windows(box: BoxEnd, wall: Wall) -> None:
    """Outside it sleeps and says until when; inside it may send all."""
    opens_ms = NOON_MS + 5000
    asked = contact(box, wall, lambda from_ms: max(from_ms, opens_ms))
    permit = asked.permit(0, online=False)
    assert (permit.asleep, permit.next_contact_ms) == (True, opens_ms)
    wall.ms = opens_ms
    assert asked.permit(5, online=False).channels == (*DATA_CHANNELS, Channel.HEALTH)


def test_clock_that_leaps_keeps_nobody_asleep(box: BoxEnd, wall: Wall) -> None:
    """The windows are looked up anew each time: set forward or back by a year, the box wakes when the clock says so."""
    asked = contact(box, wall, lambda from_ms: from_ms if from_ms % DAY_MS < 1000 else (from_ms // DAY_MS + 1) * DAY_MS)
    assert asked.permit(0, online=False).asleep
    for leap in (366 * DAY_MS, -3 * 366 * DAY_MS):
        wall.ms += leap
        permit = asked.permit(1, online=False)
        assert permit.next_contact_ms is not None
        assert permit.asleep
        assert permit.next_contact_ms - wall.ms <= DAY_MS
        wall.ms = permit.next_contact_ms
        assert not asked.permit(2, online=False).asleep
        wall.ms += 5000


def test_alarm_wakes_and_lets_sleep_again(box: BoxEnd, wall: Wall) -> None:
    """An alarm alone may go; if nobody confirms it the box sleeps, a new one wakes it at once, the old one later."""
    asked = contact(box, wall, lambda _from_ms: None)
    assert asked.permit(0, online=False).asleep
    box.add_event("fire", channel=Channel.ALARM).result(5)
    assert asked.permit(1, online=False).channels == (Channel.ALARM,)
    assert asked.permit(500, online=False).channels == (Channel.ALARM,), "while the link is away it is not given up"
    assert asked.permit(501, online=True).channels == (Channel.ALARM,)
    assert asked.permit(501 + WAKE_S, online=True).asleep
    assert asked.permit(510 + WAKE_S, online=False).asleep
    box.add_event("flood", channel=Channel.ALARM).result(5)
    assert not asked.permit(511 + WAKE_S, online=False).asleep
    box.outbox.settle(through=2).result(5)
    assert asked.permit(512 + WAKE_S + WAKE_AGAIN_S, online=False).asleep


def test_unconfirmed_alarm_wakes_again_later(box: BoxEnd, wall: Wall) -> None:
    """An alarm that nobody confirmed is not forgotten."""
    asked = contact(box, wall, lambda _from_ms: None)
    box.add_event("fire", channel=Channel.ALARM).result(5)
    asked.permit(0, online=True)
    assert asked.permit(WAKE_S, online=True).asleep
    assert not asked.permit(WAKE_S + WAKE_AGAIN_S, online=False).asleep


def test_alarms_may_be_told_to_wait(box: BoxEnd, wall: Wall) -> None:
    """Where alarms do not wake, nothing does."""
    asked = contact(box, wall, lambda _from_ms: None, alarms_wake=False)
    box.add_event("fire", channel=Channel.ALARM).result(5)
    assert asked.permit(0, online=False).asleep


def test_spent_day_leaves_alarms(box: BoxEnd, wall: Wall) -> None:
    """When the bytes are spent the box sleeps until midnight, says why, and an alarm goes all the same."""
    budget = budget_of(box, wall)
    budget.note(Traffic(901, 0))
    asked = Contact(box.outbox, budget, utc_ms=wall, alarms_wake=False)
    permit = asked.permit(0, online=True)
    assert (permit.asleep, permit.next_contact_ms) == (True, 20_001 * DAY_MS)
    assert "only alarms go until 2024-10-05 00:00 UTC" in permit.detail
    box.add_event("fire", channel=Channel.ALARM).result(5)
    assert asked.permit(1, online=False).channels == (Channel.ALARM,)
    wall.ms += DAY_MS
    assert asked.permit(2, online=False).channels == (*DATA_CHANNELS, Channel.HEALTH)
