"""What this run has sent, against sets of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.uplink.sent import Sent

ranges = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda one: (one[0], one[0] + one[1])), max_size=8
)


def numbers(found: list[tuple[int, int]]) -> list[int]:
    return [number for first, last in found for number in range(first, last + 1)]


@given(ranges, ranges, ranges)
def test_takes_what_was_sent_once(sent: list[tuple[int, int]], first: list[tuple[int, int]], second) -> None:
    """What is taken was sent and is covered, each number once in order; it is not there a second time."""
    found = Sent()
    for one in sent:
        found.add(*one)
    was_sent = set(numbers(sent))
    taken = numbers(found.take(first))
    assert taken == sorted(was_sent & set(numbers(first)))
    assert numbers(found.take(second)) == sorted((was_sent - set(taken)) & set(numbers(second)))


def test_neighbours_join() -> None:
    """A backlog that is sent in order is one range, whatever its length."""
    found = Sent()
    for number in (*range(1, 1000), *range(2000, 1000, -1), 1000):
        found.add(number, number)
    assert found.take([(1, 5000)]) == [(1, 2000)]
