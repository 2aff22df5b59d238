"""Rollups and events: stored and promised in one transaction, added up over restarts, counted, retired."""

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select

from agent.store import counts_since, delete_older, measures_since, open_store, record_event, record_rollups
from agent.store.schema import event as event_table
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, Event, Instant, MeasureRollup, Rollup
from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.wire import MeasureRow, RollupRow

NOW = Instant(utc_ns=1_800_000_000_000_000_000, monotonic_ns=5_000_000_000, boot=1)
MINUTE = 1_800_000_000


def part(**changes) -> Rollup:
    values = {
        "camera": "north",
        "zone": ANY,
        "class_name": "apple",
        "window_start_s": MINUTE,
        "window_s": 60,
        "boot": 1,
        "monotonic_start_ns": 0,
        "observed_ms": 30_000,
        "frames": 150,
        "unique": 4,
        "presence": 300,
        "occupancy_max": 5,
        "score_sum": 240.0,
    }
    return Rollup(**{**values, **changes})


@pytest.fixture
def store(tmp_path: Path):
    with open_store(tmp_path, NOW) as opened:
        yield opened


def outbox_rows(connection) -> list[RollupRow]:
    bodies = connection.execute(select(outbox.c.body).order_by(outbox.c.seq)).scalars()
    return [RollupRow(*row) for body in bodies for row in json.loads(body)["rollups"]]


def test_rollup_and_promise_commit_together_or_not_at_all(store):
    """A transaction that fails leaves neither the rollup, nor the outbox entry, nor a gap in seq."""
    with store.write.connect() as connection:
        record_rollups(connection, [part()], now=NOW, send=True)
        connection.rollback()
    with store.write.begin() as connection:
        assert connection.execute(select(func.count()).select_from(rollup_table)).scalar() == 0
        record_rollups(connection, [part()], now=NOW, send=True)
        assert connection.execute(select(outbox.c.seq)).scalars().all() == [1]
        assert connection.execute(select(stream.c.next_seq)).scalar() == 2


def test_parts_of_a_window_add_up_and_raise_the_revision(store):
    """A minute interrupted by a restart is one row, whose second revision holds the sum, here and on the wire."""
    with store.write.begin() as connection:
        record_rollups(connection, [part()], now=NOW, send=True)
        record_rollups(
            connection,
            [part(observed_ms=20_000, frames=50, unique=1, presence=100, occupancy_max=9, score_sum=60.0)],
            now=NOW,
            send=True,
        )
        stored = connection.execute(select(rollup_table)).mappings().one()
        first, second = outbox_rows(connection)
    assert (
        stored["revision"],
        stored["observed_ms"],
        stored["frames"],
        stored["unique_tracks"],
        stored["occupancy_max"],
    ) == (2, 50_000, 200, 5, 9)
    assert first.revision == 1
    assert second == RollupRow("north", ANY, "apple", MINUTE, 60, 2, 50_000, 200, 5, 2.0, 9, 0.75)


def test_parts_in_one_call_add_up(store):
    """Two parts of one key written together give one row, not a conflict."""
    with store.write.begin() as connection:
        record_rollups(connection, [part(), part()], now=NOW, send=True)
        assert outbox_rows(connection)[0].unique_tracks == 8
        assert len(outbox_rows(connection)) == 1


def test_box_without_a_cloud_promises_nothing(store):
    """Without a broker the outbox stays empty, so that it cannot fill the disk."""
    with store.write.begin() as connection:
        record_rollups(connection, [part()], now=NOW, send=False)
        record_event(connection, Event("k", None, NOW, {}), send=False)
        assert connection.execute(select(func.count()).select_from(outbox)).scalar() == 0


def test_nothing_there_and_could_not_see_differ(store):
    """A row says how long it observed; where nothing was there, the confidence is unknown rather than zero."""
    with store.write.begin() as connection:
        empty = part(class_name=ANY, unique=0, presence=0, occupancy_max=0, score_sum=0.0)
        blind = part(
            camera="south",
            class_name=ANY,
            observed_ms=0,
            frames=0,
            unique=0,
            presence=0,
            occupancy_max=0,
            score_sum=0.0,
        )
        record_rollups(connection, [empty, blind], now=NOW, send=True)
        seen, unseen = outbox_rows(connection)
    assert (seen.observed_ms, seen.unique_tracks, seen.confidence_mean) == (30_000, 0, None)
    assert (unseen.observed_ms, unseen.frames) == (0, 0)


def test_counts_of_the_hour(store):
    """Counts add up per camera and class over stored and unfinished windows; a class is measured against all frames."""
    with store.write.begin() as connection:
        whole = part(class_name=ANY, frames=600, observed_ms=60_000)
        record_rollups(
            connection, [whole, part(), part(window_start_s=MINUTE - 7200, unique=1000)], now=NOW, send=False
        )
    unfinished = [
        part(window_start_s=MINUTE + 60, unique=3, presence=30),
        part(class_name=ANY, window_start_s=MINUTE + 60, frames=60, observed_ms=6_000),
    ]
    with store.read.connect() as connection:
        counts = {count.class_name: count for count in counts_since(connection, MINUTE - 3540, unfinished)}
    assert counts["apple"].unique == 7
    assert counts["apple"].observed_s == 66.0
    assert counts["apple"].occupancy_mean == pytest.approx(330 / 660)


def test_event_keeps_three_clocks(store):
    """An event is stored with UTC, monotonic time and boot, and travels with its data."""
    with store.write.begin() as connection:
        record_event(connection, Event("camera-state", "north", NOW, {"state": "live"}), send=True)
        stored = connection.execute(select(event_table)).mappings().one()
        body = json.loads(connection.execute(select(outbox.c.body)).scalar_one())
    assert (stored["utc_ns"], stored["monotonic_ns"], stored["boot"]) == (NOW.utc_ns, NOW.monotonic_ns, 1)
    assert body == {
        "kind": "camera-state",
        "camera": "north",
        "at_ms": NOW.utc_ns // 1_000_000,
        "data": {"state": "live"},
    }


def test_retention_deletes_what_is_older_and_leaves_the_outbox(store):
    """Old rollups and events go; newer ones, and everything that is not confirmed yet, stay."""
    old = MINUTE - 2 * 86_400
    with store.write.begin() as connection:
        record_rollups(connection, [part(window_start_s=old)], now=NOW, send=False)
        record_rollups(connection, [part(window_start_s=old - 86_400)], now=NOW, send=True)
        record_rollups(connection, [part()], now=NOW, send=True)
        record_event(connection, Event("old", None, Instant(1, 1, 1), {}), send=False)
        assert delete_older(connection, MINUTE * 10**9) == 2
        kept = select(rollup_table.c.window_start_s).order_by(rollup_table.c.window_start_s)
        assert connection.execute(kept).scalars().all() == [old - 86_400, MINUTE]
        connection.execute(delete(outbox).where(outbox.c.seq == 1))
        assert delete_older(connection, MINUTE * 10**9) == 1
        assert delete_older(connection, MINUTE * 10**9) == 0
        assert connection.execute(select(rollup_table.c.window_start_s)).scalars().all() == [MINUTE]
        assert len(outbox_rows(connection)) == 1


def test_measures_of_a_window_add_up(store):
    """Readings of one measure add up over parts of a window, and travel beside the rollups in the same entry."""
    first = MeasureRollup("north", "gate", "apple", "dwell_s", MINUTE, 60, 1, 2, 10.0, 4.0, 6.0)
    second = MeasureRollup("north", "gate", "apple", "dwell_s", MINUTE, 60, 1, 1, 2.5, 2.5, 2.5)
    with store.write.begin() as connection:
        record_rollups(connection, [part(), first], now=NOW, send=True)
        record_rollups(connection, [second], now=NOW, send=True)
        bodies = connection.execute(select(outbox.c.body).order_by(outbox.c.seq)).scalars().all()
    assert [len(json.loads(body)["rollups"]) for body in bodies] == [1, 0]
    last = MeasureRow(*json.loads(bodies[-1])["measures"][0])
    assert last == MeasureRow("north", "gate", "apple", "dwell_s", MINUTE, 60, 2, 3, 12.5, 2.5, 6.0)


def test_alarm_goes_to_its_own_channel(store):
    """An alarm is stored as an event and promised on the channel that overtakes the rest."""
    with store.write.begin() as connection:
        record_event(connection, Event("loitering", "north", NOW, {}, alarm=True), send=True)
        assert connection.execute(select(outbox.c.channel)).scalar_one() == "alarm"


def test_measures_of_the_hour(store):
    """Measures add up by zone, class and name, with their mean; older windows are left out."""
    old = MeasureRollup("north", "gate", "apple", "dwell_s", MINUTE - 7200, 60, 1, 1, 99.0, 99.0, 99.0)
    parts = [
        MeasureRollup("north", "gate", "apple", "dwell_s", MINUTE + 60 * n, 60, 1, 2, 10.0, 4.0, 6.0) for n in (0, 1)
    ]
    with store.write.begin() as connection:
        record_rollups(connection, [old, *parts], now=NOW, send=False)
        (found,) = measures_since(connection, MINUTE - 3600)
    assert (found.zone, found.name, found.readings, found.total, found.mean) == ("gate", "dwell_s", 4, 20.0, 5.0)


def test_zones_have_rows_of_their_own(store):
    """A zone's counts stand beside those of the picture, measured against the same frames."""
    with store.write.begin() as connection:
        rows = [part(class_name=ANY, frames=100), part(zone="gate", class_name=ANY, frames=100, unique=1, presence=50)]
        record_rollups(connection, rows, now=NOW, send=False)
        counts = {count.zone: count for count in counts_since(connection, MINUTE)}
    assert (counts["gate"].unique, counts["gate"].occupancy_mean) == (1, 0.5)
    assert counts[ANY].unique == 4
