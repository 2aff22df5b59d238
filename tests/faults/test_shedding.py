"""A box gives up by rule what it cannot keep, and sends over a link that is cut: the cloud's history stays true."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, Table, func, select

from agent.store import Limits
from agent.store import schema as box_schema
from agent.types import ANY, Rollup
from cloud_sync.ingest import schema
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.uplink import Uplink
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BOX, CloudEnd, birth_message, fast_settings, health_message
from tests.faults.packet_proxy import PacketProxy
from tests.faults.records import committed, ingested, keep_journal
from tests.faults.scale import times
from tests.faults.site import dice_of
from tests.store.offline_box import OfflineBox
from tests.waiting import eventually

START_S = 1_700_006_400  # a full hour
WINDOW_S = 300
LIMITS = Limits(entries=60, size_bytes=10**9, disk_free_bytes=0)


def test_shedding_over_a_link_that_is_cut(
    mosquitto: Mosquitto, make_cloud: Callable[[str], CloudEnd], tmp_path: Path
) -> None:
    """Sums are those of the box, no alarm is lost, each loss is told, and no number is missing without a reason."""
    dice = dice_of("shedding")
    cloud = make_cloud("postgresql")
    box = OfflineBox(tmp_path / "data", START_S, LIMITS)
    with box.store.write.begin() as connection:
        keep_journal(connection)
    with PacketProxy(mosquitto.port) as near, PacketProxy(mosquitto.port) as far:
        cloud.start(far.url, batch_messages=5, retry_first_s=0.05, retry_most_s=0.2)
        with _online(box, near.url):
            for _ in range(times(2, long=20)):
                eventually(lambda: box.outbox.depth().entries == 0)
                near.stall()
                for _ in range(8):
                    _live_an_hour(box, dice)
                assert box.shed() > 0
                near.resume()
                near.cut_after(dice.randrange(1, 3000))
                far.cut_after(dice.randrange(1, 3000))
            eventually(lambda: box.waiting() == [], within_s=60)
    mine, stored = committed(box.store.path), ingested(cloud.engine, BOX)
    assert mine.by_kind["alarm"] == stored.by_kind["alarm"]
    assert stored.by_kind["shed"] <= mine.by_kind["shed"], "the record of an hour may have become part of a day's"
    assert {row[2] for row in stored.by_kind["shed"]} >= {"hours", "nothing"}
    assert _sums(box.store.read, box_schema.rollup) == _sums(cloud.engine, schema.rollup)
    assert cloud.received() == [(1, box.outbox.last_seq())]
    box.close()


@contextmanager
def _online(box: OfflineBox, url: str) -> Iterator[None]:
    settings = fast_settings(
        url,
        join_bytes=600,
        broker=BrokerSettings(url, keepalive_s=1),
        ack_timeout_s=0.4,
        retry_first_s=0.05,
        retry_most_s=0.2,
    )
    uplink = Uplink(
        settings,
        BOX,
        box.outbox,
        boot=1,
        birth=lambda: birth_message(box.outbox.stream),
        health=health_message,
        utc_ms=lambda: box.clock.now().utc_ns // 1_000_000,
    )
    stop = threading.Event()
    thread = threading.Thread(target=uplink.run, args=(stop, lambda: None), daemon=True)
    thread.start()
    yield
    stop.set()
    uplink.notify()
    thread.join(10)


def _live_an_hour(box: OfflineBox, dice: random.Random) -> None:
    for _ in range(3600 // WINDOW_S):
        now_s = box.clock.now().utc_ns // 1_000_000_000
        box.put([_window(now_s, name, dice.randrange(9)) for name in (ANY, "apple")])
        box.clock.advance(WINDOW_S)
    box.event("seen")
    box.event("thief", alarm=True)
    box.evidence(dice.randbytes(500))
    box.written()


def _window(start_s: int, class_name: str, unique: int) -> Rollup:
    return Rollup("north", ANY, class_name, start_s, WINDOW_S, 1, 0, 300_000, 1500, unique, 40, 2, 30.0)


def _sums(engine: Engine, table: Table) -> list[tuple[object, ...]]:
    c = table.c
    sums = [func.sum(c.observed_ms), func.sum(c.frames), func.sum(c.unique_tracks)]
    with engine.connect() as connection:
        rows = connection.execute(select(c.class_name, *sums).group_by(c.class_name).order_by(c.class_name))
        return [tuple(row) for row in rows]
