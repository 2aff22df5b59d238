"""The disk is full, on either side: nothing that was committed is lost, and everything goes on when there is room."""

import time
from collections.abc import Callable

from tests.faults.brokers import Mosquitto
from tests.faults.disks import SmallDisk
from tests.faults.ends import BoxEnd, CloudEnd, eventually
from tests.faults.matrix import Result
from tests.faults.scale import times
from tests.faults.site import Site


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
    for _ in range(times(2, long=20)):
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
    mosquitto: Mosquitto,
    make_site: Callable[..., Site],
    small_disk: Callable[[int], SmallDisk],
    result: Result,
) -> None:
    """Disk of the cloud full"""
    disk = small_disk(8_000_000)
    site = make_site(mosquitto, cloud=CloudEnd(disk.folder / "cloud.db"))
    _fill_and_relieve(site, disk, result)


def _fill_and_relieve(site: Site, disk: SmallDisk, result: Result) -> None:
    site.start_cloud()
    site.start_box()
    for _ in range(times(2, long=20)):
        site.commit(20)
        site.drain()
        disk.fill()
        site.commit(60)
        arrived = site.far.passed[False, 3]
        eventually(lambda arrived=arrived: site.far.passed[False, 3] > arrived + 4)
        time.sleep(0.5)
        assert site.box.waiting() != [], "it cannot have been stored"
        disk.relieve()
        site.drain()
        result.faults += 1
    site.check(result)
    site.cloud.close()
