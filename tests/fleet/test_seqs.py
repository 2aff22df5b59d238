"""Missing seqs."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.fleet.seqs import count, gaps
from cloud_sync.ranges import merge


def test_what_is_missing():
    """Gaps lie before, between, and after what came, as far as the box told that there is more."""
    assert list(gaps([], next_seq=None)) == []
    assert list(gaps([], next_seq=4)) == [(1, 3)]
    assert list(gaps([(1, 5)], next_seq=6)) == []
    assert list(gaps([(1, 5)], next_seq=3)) == []
    assert list(gaps([(3, 5), (8, 9)], next_seq=12)) == [(1, 2), (6, 7), (10, 11)]
    assert count([(1, 2), (6, 7), (10, 11)]) == 6


@given(st.sets(st.integers(1, 60)), st.integers(1, 70))
def test_gaps_are_the_rest(come: set[int], next_seq: int):
    """Every seq is either here or in a gap, and none is in both."""
    missing = {
        seq for first, last in gaps(merge((n, n) for n in come), next_seq=next_seq) for seq in range(first, last + 1)
    }
    assert missing == set(range(1, max([next_seq, *(n + 1 for n in come)]))) - come
