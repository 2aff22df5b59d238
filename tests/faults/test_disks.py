"""The disk is full, on either side: nothing that was committed is lost, and everything goes on when there is room."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import psycopg

from tests.faults.brokers import Mosquitto
from tests.faults.disks import SmallDisk
from tests.faults.ends import BoxEnd, CloudEnd
from tests.faults.matrix import Result
from tests.faults.packets import Kind
from tests.faults.scale import times
from tests.faults.site import Site
from tests.postgres import Postgres
from tests.waiting import eventually


def test_box(
    mosquitto: Mosquitto,
    make_site: Callable[..., Site],
    small_disk: Callable[[int], SmallDisk],
    result: Result,
) -> None:
    """Disk of the box full"""
    disk = small_disk(8_000_000)
    box = BoxEnd(disk.folder / "box.db")
    site = make_site(mosquitto, "sqlite", box=box)
    site.start_cloud()
    site.start_box()
    for _ in range(times(1, long=8)):
        site.commit(20)
        disk.fill()
        site.commit_until_refused()
        refused_at = site.steps
        assert box.uplink is not None
        eventually(lambda: box.uplink.status().state == "online")
        disk.relieve()
        site.steps = refused_at + 1  # what was refused may have been stored in part
        site.commit(20)
        result.faults += 1
    site.drain()
    site.check(result)
    site.box.close()


def test_cloud_on_sqlite(
    mosquitto: Mosquitto, make_site: Callable[..., Site], small_disk: Callable[[int], SmallDisk], result: Result
) -> None:
    """Disk of the cloud full"""
    disk = small_disk(24_000_000)
    with closing(CloudEnd(disk.folder / "cloud.db")) as end:
        _fill_again_and_again(make_site(mosquitto, cloud=end), disk, result)


def test_cloud_on_postgresql(
    mosquitto: Mosquitto,
    make_site: Callable[..., Site],
    small_disk: Callable[[int], SmallDisk],
    postgres_server: Postgres,
    result: Result,
) -> None:
    """Disk of the cloud full"""
    disk = small_disk(24_000_000)
    with _database_on(disk, postgres_server) as url, closing(CloudEnd(url)) as end:
        _fill_again_and_again(make_site(mosquitto, cloud=end), disk, result)


def _fill_again_and_again(site: Site, disk: SmallDisk, result: Result) -> None:
    site.start_cloud()
    site.start_box()
    for _ in range(times(1, long=8)):
        _fill_and_relieve(site, disk)
        result.faults += 1
    site.check(result)


def _fill_and_relieve(site: Site, disk: SmallDisk) -> None:
    site.commit(20)
    site.drain()
    disk.fill()
    arrived = site.far.passed[False, Kind.PUBLISH]
    eventually(lambda: site.commit(40) or _is_refused(site), within_s=30)
    assert site.far.passed[False, Kind.PUBLISH] > arrived
    disk.relieve()
    site.drain()


def _is_refused(site: Site) -> bool:
    """Tell whether the cloud has stopped to take entries: nothing leaves the outbox for a while."""
    first = site.box.waiting()[:1]
    time.sleep(0.5)
    return first != [] and site.box.waiting()[:1] == first


@contextmanager
def _database_on(disk: SmallDisk, server: Postgres) -> Iterator[str]:
    """Make an empty database of a server on a disk of its own; the server's log of changes stays where it is."""
    space, name = f"space_{uuid4().hex[:8]}", f"test_{uuid4().hex[:8]}"
    folder = disk.folder / "space"
    folder.mkdir()
    folder.chmod(0o777)
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE {space} LOCATION '{folder}'")
        connection.execute(f"CREATE DATABASE {name} TABLESPACE {space}")
    yield server.url(name)
    server.drop_database(server.url(name))
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP TABLESPACE {space}")
