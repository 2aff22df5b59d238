"""The command ``hedgerow run`` on two simulated cameras, with a journal of what it commits."""

from collections.abc import Sequence
from pathlib import Path

from agent.clock import SystemClock
from agent.store import DATABASE, open_store
from tests.end_to_end.programs import Program
from tests.faults.ends import BOX, BoxEnd
from tests.faults.records import keep_journal

_CONFIG = """\
[box]
site = "{site}"
device = "{device}"
[storage]
data_dir = "{data_dir}"
rollup_s = 1
[[cameras]]
name = "north"
source = "sim:orchard?seed=1&width=320&height=192"
fps = 2
[[cameras]]
name = "south"
source = "sim:orchard?seed=2&width=320&height=192"
fps = 2
[sync]
broker = "{broker}"
[page]
enabled = false
"""


class RealAgent:
    """Starts and ends it; the database stays."""

    def __init__(
        self, folder: Path, broker: str, *, prefix: Sequence[str] = (), environment: dict[str, str] | None = None
    ) -> None:
        data_dir = folder / "data"
        self.database = data_dir / DATABASE
        with open_store(data_dir, SystemClock().now()) as store, store.write.begin() as connection:
            keep_journal(connection)
        config = folder / "hedgerow.toml"
        config.write_text(_CONFIG.format(site=BOX.site, device=BOX.device, data_dir=data_dir, broker=broker))
        log = folder / "agent.log"
        self.program = Program(("run", "--config", config), log, prefix, environment or {})

    def start(self) -> None:
        self.program.start()

    def stop(self) -> None:
        assert self.program.end(timeout_s=20) == 0, self.program.said()

    def waiting(self) -> int:
        """Return how many entries are in its outbox."""
        end = BoxEnd(self.database)
        try:
            return len(end.waiting())
        finally:
            end.close()
