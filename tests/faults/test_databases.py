"""The cloud's PostgreSQL is restarted and killed while workers store: no ack before the commit, nothing lost."""

import time
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.faults.brokers import Mosquitto
from tests.faults.ends import CloudEnd
from tests.faults.matrix import Result
from tests.faults.scale import times
from tests.faults.site import Site, dice_of
from tests.postgres import Postgres


@pytest.mark.parametrize("ends", ["stopped", "killed"])
def test_postgresql_restarted(
    mosquitto: Mosquitto, make_site: Callable[..., Site], own_postgres: Postgres, result: Result, ends: str
) -> None:
    """PostgreSQL restarted"""
    dice = dice_of(f"postgresql {ends}")
    with closing(CloudEnd(own_postgres.create_database())) as end:
        site = make_site(mosquitto, cloud=end)
        site.start_cloud()
        site.start_box()
        for _ in range(times(1, long=10)):
            site.commit(30)
            time.sleep(dice.uniform(0.0, 0.3))
            own_postgres.stop() if ends == "stopped" else own_postgres.kill()
            site.commit(10)
            time.sleep(dice.uniform(0.0, 0.5))
            own_postgres.start()
            result.faults += 1
        site.drain()
        end.engine.dispose()  # its connection is of a server that is gone
        site.check(result)
