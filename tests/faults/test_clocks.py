"""The wall clock of either end is set, forward and back by a year: nothing waits for it, nothing is lost by it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_sync.ingest import schema
from tests.faults.brokers import Mosquitto
from tests.faults.ends import CloudEnd
from tests.faults.matrix import Result
from tests.faults.processes import start_process
from tests.faults.real_agent import RealAgent
from tests.faults.records import committed
from tests.faults.scale import times
from tests.faults.site import Site, note
from tests.waiting import eventually

YEAR_S = 365 * 86_400


def test_set_while_it_sends(site: Site, result: Result) -> None:
    """Clocks of both ends set forward and back by a year"""
    site.start_cloud()
    site.start_box()
    for _ in range(times(1, long=5)):
        for box_years, cloud_years in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1)):
            site.box.clock_error_ms = box_years * YEAR_S * 1000
            site.cloud.clock_error_ms = cloud_years * YEAR_S * 1000
            site.commit(5)
            site.near.cut()
            site.far.cut()
            site.commit(5)
            result.faults += 1
            site.drain()
    site.check(result)
    eventually(lambda: [row.state for row in site.cloud.rows(schema.device)] == ["online"])


@pytest.mark.slow
def test_whole_agent(
    libfaketime: Path, mosquitto: Mosquitto, make_cloud: Callable[[str], CloudEnd], tmp_path: Path, result: Result
) -> None:
    """The machine's clock set forward and back by a year under the whole agent"""
    setting = tmp_path / "clock"
    setting.write_text("+0", encoding="utf-8")
    lies = {
        "LD_PRELOAD": str(libfaketime),
        "FAKETIME_TIMESTAMP_FILE": str(setting),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    cloud = make_cloud("postgresql")
    cloud.start(mosquitto.url)
    agent = RealAgent(tmp_path, mosquitto.url, environment=lies)
    agent.start()
    try:
        agent.program.wait_for_word("camera=south .*state=live")
        for years in (1, -1, 0) * times(1, long=3):
            setting.write_text(f"{years * YEAR_S:+d}", encoding="utf-8")
            time.sleep(times(2, long=5))
            result.faults += 1
        agent.stop()
    finally:
        agent.program.kill()
    start_process("drain", agent.database, mosquitto.url).wait(30)
    mine = committed(agent.database)
    note(result, cloud, mine)
    starts = [row[3] for row in mine.by_kind["rollup"]]
    assert max(starts) - min(starts) > 1.9 * YEAR_S, "the agent has not seen its clock change"
