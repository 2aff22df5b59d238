"""When confirmed entries leave the outbox."""

from math import inf

import pytest

from cloud_sync.uplink.settler import REST_S, Settler
from tests.faults.ends import BoxEnd
from tests.waiting import eventually


def test_it_is_known_when_the_next_write_is_due(box: BoxEnd) -> None:
    """What is confirmed is due at once, or when the rest after the last write is over; while one runs its end tells."""
    for number in range(3):
        box.add_event(f"event {number}").result(5)
    settler = Settler(box.outbox, on_done=lambda: None)
    assert settler.wait_s(100.0) == inf
    settler.confirm(0, [(1, 1)])
    assert settler.wait_s(100.0) == 0
    settler.step(100.0)
    assert settler.wait_s(100.0) == inf
    eventually(lambda: settler.idle)
    settler.confirm(0, [(2, 2)])
    settler.step(100.0)
    assert settler.wait_s(100.0) == pytest.approx(REST_S)
    assert settler.wait_s(100.0 + 2 * REST_S) == 0
    assert box.waiting() == [2, 3]
    settler.step(100.0 + 2 * REST_S)
    eventually(lambda: settler.idle)
    assert box.waiting() == [3]


def test_what_is_to_be_laid_aside_waits_for_no_rest(box: BoxEnd) -> None:
    """Between two entries that go to the quarantine there is no rest."""
    box.add_event("good").result(5)
    box.add_event("bad").result(5)
    settler = Settler(box.outbox, on_done=lambda: None)
    settler.confirm(0, [(1, 1)])
    settler.step(100.0)
    eventually(lambda: settler.idle)
    settler.step(100.0)
    settler.quarantine(2, "why")
    assert settler.wait_s(100.0) == 0
