"""What is sent next."""

from cloud_sync.uplink.feed import READ_ENTRIES, Feed
from cloud_sync.wire import Channel
from tests.faults.ends import BoxEnd


def seqs(feed: Feed) -> list[int]:
    return [entry.seq for entry in feed.take()]


def test_consecutive_rollups_are_joined(box: BoxEnd) -> None:
    """Rollups with consecutive seqs and the same boot go together, and nothing else does."""
    box.add_rollups(0, 3, boot=1)
    box.add_rollups(3, 2, boot=2)
    box.add_event("between")
    box.add_rollups(5, 2, boot=2).result(5)
    feed = Feed(box.outbox, join_bytes=10_000)
    assert [seqs(feed) for _ in range(5)] == [[6], [1, 2, 3], [4, 5], [7, 8], []]


def test_joined_bodies_are_bounded(box: BoxEnd) -> None:
    """Joining stops at the bytes it is given; an entry beyond them goes alone."""
    box.add_rollups(0, 5).result(5)
    body = len(box.outbox.read([Channel.ROLLUP], after_seq=0, limit=1)[0].body)
    assert [seqs(Feed(box.outbox, join_bytes=2 * body + 5))] == [[1, 2]]
    assert [seqs(Feed(box.outbox, join_bytes=1))] == [[1]]


def test_alarms_and_events_overtake(box: BoxEnd) -> None:
    """What is urgent goes before what waited longer, also when it comes while a backlog is sent."""
    box.add_rollups(0, 2 * READ_ENTRIES)
    box.add_event("first").result(5)
    feed = Feed(box.outbox, join_bytes=1)
    assert [seqs(feed)[0] for _ in range(3)] == [201, 1, 2]
    box.add_event("fire", channel=Channel.ALARM).result(5)
    box.add_event("second").result(5)
    assert seqs(feed) == [3], "nobody has said yet that there is news"
    feed.news()
    assert [seqs(feed)[0] for _ in range(3)] == [202, 203, 4]


def test_each_entry_comes_once(box: BoxEnd) -> None:
    """Nothing is read twice by one connection, and nothing is left out."""
    box.add_rollups(0, 250).result(5)
    feed = Feed(box.outbox, join_bytes=2000)
    taken: list[int] = []
    while more := seqs(feed):
        taken += more
    assert taken == list(range(1, 251))


def test_again_brings_what_is_still_there(box: BoxEnd) -> None:
    """Entries that are asked for again come again, except those that were settled meanwhile."""
    box.add_rollups(0, 10).result(5)
    feed = Feed(box.outbox, join_bytes=10_000)
    assert len(seqs(feed)) == 10
    box.outbox.settle(through=0, ranges=[(3, 4), (8, 8)]).result(5)
    feed.again(Channel.ROLLUP, 2, 5)
    feed.again(Channel.ROLLUP, 8, 8)
    assert [seqs(feed) for _ in range(3)] == [[2], [5], []]


def test_split_entries_come_in_smaller_parts(box: BoxEnd) -> None:
    """Entries that do not fit together come again in halves, in order, and grow once it works."""
    box.add_rollups(0, 8).result(5)
    feed = Feed(box.outbox, join_bytes=10_000)
    for expected in ([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4], [1, 2]):
        entries = feed.take()
        assert [entry.seq for entry in entries] == expected
        feed.split(entries)
    assert seqs(feed) == [1]
    feed.went(100)
    assert seqs(feed) == [2, 3]
    feed.went(100)
    assert seqs(feed) == [4, 5, 6, 7]
