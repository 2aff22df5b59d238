"""Two boxes with one name, a copied and a restored database: nobody's records take the place of another's."""

import shutil
from collections.abc import Callable
from pathlib import Path

from cloud_sync.ingest import schema
from cloud_sync.mqtt import BrokerSettings
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, fast_settings
from tests.faults.matrix import Result
from tests.faults.records import committed, keep_journal
from tests.faults.scale import times
from tests.faults.site import Site, name_of, note
from tests.faults.workload import step
from tests.waiting import eventually


def test_second_box_of_one_name(site: Site, result: Result, tmp_path: Path) -> None:
    """A second box under the same name: it is refused, and sends what it has once the first one is gone"""
    twin = BoxEnd(tmp_path / "twin.db")
    twin.writer.submit(keep_journal).result(10)
    site.start_cloud()
    site.start_box(broker=BrokerSettings(site.near.url))  # patient: it must not reconnect
    site.commit(5)
    first = site.box.uplink
    assert first is not None
    eventually(lambda: [row.state for row in site.cloud.rows(schema.device)] == ["online"])
    connects = first.status().connects
    for _ in range(times(1, long=10)):
        second = twin.start_uplink(fast_settings(site.broker.url))
        for number in range(10_000 + 20 * result.faults, 10_020 + 20 * result.faults):
            for work in step(number):
                twin.writer.submit(work).result(10)
        eventually(lambda second=second: "another box is online as orchard/box-1" in second.status().detail)
        site.commit(10)
        site.drain()
        assert twin.waiting() != [], "it must not send under a name that is taken"
        assert second.status().state != "online"
        assert (first.status().state, first.status().connects) == ("online", connects), "the first is undisturbed"
        twin.stop_uplink()
        result.faults += 1
    site.box.stop_uplink()
    twin.start_uplink(fast_settings(site.broker.url))
    eventually(lambda: twin.waiting() == [])
    twin.close()
    result.broker = name_of(site.broker)
    note(result, site.cloud, committed(site.box.path, twin.path), site.near, site.far)


def test_restored_from_a_backup(
    mosquitto: Mosquitto, make_site: Callable[..., Site], result: Result, tmp_path: Path
) -> None:
    """A box's database restored from a backup that is older than what the cloud has"""
    paths = [tmp_path / "first.db"]
    box = BoxEnd(paths[0])
    site = make_site(mosquitto, box=box)
    site.start_cloud()
    for number in range(1, times(1, long=10) + 1):
        site.start_box()
        site.commit(20)
        site.drain()
        box.close()
        paths.append(tmp_path / f"restored-{number}.db")
        shutil.copy(paths[-2], paths[-1])  # the backup
        box = site.box = BoxEnd(paths[-2])
        site.start_box()
        site.commit(20)  # what the backup does not have
        site.drain()
        box.close()
        box = site.box = BoxEnd(paths[-1])
        site.start_box()
        site.commit(20)  # under seqs that the cloud knows
        site.drain()
        box.stop_uplink()
        result.faults += 1
    box.close()
    note(result, site.cloud, committed(*paths), site.near, site.far)
