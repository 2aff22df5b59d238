"""One bad entry among hundreds, from the box to the cloud's database and back: each entry ends in one place."""

from collections.abc import Callable

import pytest

from cloud_sync.ingest import open_database
from cloud_sync.ingest import schema as cloud_schema
from cloud_sync.outbox import append_rollups
from cloud_sync.wire import Channel, Envelope, RollupRow
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, CloudEnd, eventually, expected_rollups, fast_settings
from tests.faults.listener import Listener
from tests.ingest.forbidding import FORBIDDEN, forbid, forbidden_row, row_beyond_an_index

BAD_ROWS = {"sqlite": forbidden_row, "postgresql": row_beyond_an_index}


@pytest.mark.parametrize("database", BAD_ROWS)
def test_one_bad_entry_among_hundreds(
    mosquitto: Mosquitto, box: BoxEnd, make_cloud: Callable[[str], CloudEnd], database: str
) -> None:
    """A bad event among 300, and a bad window in a joined batch of 300: the good ones arrive once, the bad are told.

    Nothing is left in the outbox or sent again, and the cloud's ledger has no gap. No timeout helps: the acks alone do.
    """
    end = make_cloud(database)
    writer = open_database(end.url)
    forbid(writer)
    writer.dispose()
    events, windows = _fill(box, BAD_ROWS[database]())
    with Listener(mosquitto.url, "hedgerow/v1/#") as site:
        end.start(mosquitto.url)
        uplink = box.start_uplink(fast_settings(mosquitto.url, ack_timeout_s=600, ack_timeout_most_s=600))
        eventually(lambda: box.waiting() == [], within_s=60)
        eventually(lambda: uplink.status().in_flight == 0)
    assert end.rollups() == expected_rollups(300)
    assert sorted(row.kind for row in end.rows(cloud_schema.event)) == sorted(f"e{n}" for n in range(300))
    assert end.received() == [(1, box.outbox.last_seq())], "a gap that nobody explains"
    laid_aside = box.quarantined()
    assert set(laid_aside) == {events, windows}
    words = "the cloud refuses it for good: the database refuses it: "
    assert all(why.startswith(words) for why in laid_aside.values())
    told = {row.detail: row for row in end.rows(cloud_schema.shed)}
    assert set(told) == {why[:256] for why in laid_aside.values()}
    assert {(row.reason, row.became, row.entries) for row in told.values()} == {("rejected", "nothing", 1)}
    assert sorted((row.first, row.last) for row in end.rows(cloud_schema.shed_range)) == sorted(
        (seq, seq) for seq in laid_aside
    )
    assert _sent(site, Channel.EVENT, events) == 1
    assert 2 <= _sent(site, Channel.ROLLUP, windows) <= 8, "a batch of a hundred is halved seven times at most"
    assert _sent(site, Channel.SHED, box.outbox.last_seq()) == 1
    kept = end.rows(cloud_schema.quarantine)
    assert {row.times for row in kept} == {1}
    assert {row.topic.rpartition("/")[2] for row in kept} == {"event", "rollup"}


def _fill(box: BoxEnd, bad: RollupRow) -> tuple[int, int]:
    """Commit 300 good events and 300 good entries of rollups, each with a bad one in its middle; return their seqs."""
    for number in range(150):
        box.add_event(f"e{number}")
    event = box.add_event(FORBIDDEN)
    for number in range(150, 300):
        box.add_event(f"e{number}")
    box.add_rollups(0, 150)
    window = box.writer.submit(lambda connection: append_rollups(connection, [bad], boot=1, created_utc_ns=0))
    box.add_rollups(150, 150).result(30)
    return event.result(10), window.result(10)


def _sent(site: Listener, channel: Channel, seq: int) -> int:
    """Count the messages with an entry."""
    messages = [message for message in site.messages(channel) if isinstance(message, Envelope)]
    return sum(message.seq <= seq <= message.last_seq for message in messages)
