"""The wall clock of either end is set, forward and back by a year: nothing waits for it, nothing is lost by it."""

from cloud_sync.ingest import schema
from tests.faults.ends import eventually
from tests.faults.matrix import Result
from tests.faults.scale import times
from tests.faults.site import Site

YEAR_MS = 365 * 86_400_000


def test_set_while_it_sends(site: Site, result: Result) -> None:
    """Clocks of both ends set forward and back by a year"""
    site.start_cloud()
    site.start_box()
    for _ in range(times(1, long=10)):
        for box_years, cloud_years in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, -1)):
            site.box.clock_error_ms, site.cloud.clock_error_ms = box_years * YEAR_MS, cloud_years * YEAR_MS
            site.commit(5)
            site.near.cut()
            site.far.cut()
            site.commit(5)
            result.faults += 1
            site.drain()
    site.check(result)
    eventually(lambda: [row.state for row in site.cloud.rows(schema.device)] == ["online"])
