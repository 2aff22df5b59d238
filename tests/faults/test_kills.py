"""Either end is killed with ``kill -9``: what is committed is neither lost nor doubled."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, Select, Table, func, select

from agent.store import DATABASE
from agent.store import schema as box_schema
from cloud_sync.ingest import schema
from cloud_sync.outbox.schema import outbox
from cloud_sync.sqlite import open_sqlite
from tests.faults.brokers import Broker
from tests.faults.children import Child, Moment, run_agent, run_worker
from tests.faults.ends import CloudEnd
from tests.faults.matrix import Result
from tests.faults.packet_proxy import PacketProxy
from tests.faults.records import committed
from tests.faults.scale import times
from tests.faults.site import Site, dice_of, name_of, note
from tests.waiting import eventually


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Processes to kill at the end, whatever happened."""
    started: list[Child] = []
    yield started
    for child in started:
        child.kill()


@pytest.fixture
def links(broker: Broker, result: Result) -> Iterator[tuple[PacketProxy, PacketProxy]]:
    """The box's link and the cloud's, to each of the brokers."""
    result.broker = name_of(broker)
    with PacketProxy(broker.port) as near, PacketProxy(broker.port) as far:
        yield near, far


def test_agent_killed_at_random_points(
    links: tuple[PacketProxy, PacketProxy],
    cloud: CloudEnd,
    tmp_path: Path,
    result: Result,
    children: list[Child],
) -> None:
    """Agent killed at random points of its life"""
    dice = dice_of("agent")
    data_dir = tmp_path / "data"
    near, far = links
    cloud.start(far.url)
    children.append(Child(run_agent, data_dir, near.url, 0.005).wait_ready())
    for _ in range(times(12, long=200)):
        time.sleep(dice.uniform(0.0, 0.35))
        children.pop().kill()
        result.faults += 1
        children.append(Child(run_agent, data_dir, near.url, 0.005))
    children[-1].wait_ready()
    children.pop().kill()
    children.append(Child(run_agent, data_dir, near.url, 0.0).wait_ready())
    box = open_sqlite(data_dir / DATABASE, write=False)
    eventually(lambda: _ask(box, select(func.count()).select_from(outbox)) == [(0,)], within_s=60)
    windows = _ask(box, _windows(box_schema.rollup, "window_start_s"))
    box.dispose()
    note(result, cloud, committed(data_dir / DATABASE), near, far)
    assert windows == _ask(cloud.engine, _windows(schema.rollup, "start"))


def _ask(engine: Engine, query: Select) -> list[tuple]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def _windows(table: Table, start: str) -> Select:
    own = table.c[start]
    return select(own, table.c.revision, table.c.frames, table.c.unique_tracks).order_by(own)


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_worker_killed_at_its_commit(site: Site, result: Result, children: list[Child], moment: Moment) -> None:
    """Worker killed at its commit"""
    dice = dice_of(f"worker {moment}")
    site.start_box()
    for number in range(times(3, long=20)):
        worker = Child(run_worker, site.far.url, site.cloud.url, f"worker-{number}", (moment, dice.randrange(1, 5)))
        children.append(worker.wait_ready())
        while worker.alive:
            site.commit(2)
            time.sleep(0.02)
        result.faults += 1
    site.start_cloud()
    site.drain()
    site.check(result)
    assert result.duplicates > 0 or moment == "before"


def test_workers_killed_at_random_points(site: Site, result: Result, children: list[Child]) -> None:
    """One of three workers killed at random points, again and again"""
    dice = dice_of("workers")
    site.start_box()
    rounds = 3 + times(6, long=60)
    children.extend(Child(run_worker, site.far.url, site.cloud.url, f"worker-{number}", None) for number in range(3))
    for number in range(3, rounds):
        site.commit(3)
        time.sleep(dice.uniform(0.0, 0.1))
        children.pop(dice.randrange(3)).kill()
        result.faults += 1
        children.append(Child(run_worker, site.far.url, site.cloud.url, f"worker-{number}", None).wait_ready())
    site.drain()
    site.check(result)
