"""End to end over a line as bad as they are: 64 kbit/s, a fifth of all packets lost, and away for a while."""

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.end_to_end.programs import Program
from tests.faults.ends import CloudEnd
from tests.faults.matrix import Result
from tests.faults.namespaces import CLOUD, Line
from tests.faults.processes import start_process
from tests.faults.real_agent import RealAgent
from tests.faults.records import committed
from tests.faults.scale import times
from tests.faults.site import note
from tests.postgres import Postgres

BROKER = f"mqtt://{CLOUD}"


@pytest.mark.slow
def test_slow_and_lossy_line(
    line: Line, require: Callable[[str], str], postgres_server: Postgres, tmp_path: Path, result: Result
) -> None:
    """The whole agent over 64 kbit/s that lose a fifth of all packets, with the line away for a while"""
    url = postgres_server.create_database()
    agent = RealAgent(tmp_path, BROKER, prefix=line.inside(line.box))
    with ExitStack() as stack:
        stack.callback(postgres_server.drop_database, url)
        cloud = stack.enter_context(closing(CloudEnd(url)))
        stack.callback(_broker(line, require("mosquitto"), tmp_path).kill)
        stack.callback(_ingest(line, postgres_server.local_url(url), tmp_path).kill)
        stack.callback(agent.program.kill)
        _live_on_a_bad_line(line, agent, result)
        assert agent.waiting() > 0, "the line was not bad enough"
        start_process("drain", agent.database, BROKER, prefix=line.inside(line.box)).wait(30)
        note(result, cloud, committed(agent.database))


def _live_on_a_bad_line(line: Line, agent: RealAgent, result: Result) -> None:
    agent.start()
    agent.program.wait_for_word("camera=south .*state=live")
    agent.program.wait_for_word("link_online")
    line.throttle("64kbit")
    line.lose(20)
    for last in (*[False] * times(0, long=2), True):
        time.sleep(times(4, long=20))
        line.cut()
        time.sleep(times(3, long=20))
        if last:
            agent.stop()  # so that something is left to send
        line.mend()
        result.faults += 1


def _broker(line: Line, program: str, folder: Path) -> subprocess.Popen[bytes]:
    config = folder / "mosquitto.conf"
    config.write_text(f"listener 1883 {CLOUD}\nallow_anonymous true\nuser root\n", encoding="utf-8")
    with (folder / "mosquitto.log").open("wb") as log:
        return subprocess.Popen([*line.inside(line.cloud), program, "-c", str(config)], stdout=log, stderr=log)


def _ingest(line: Line, database: str, folder: Path) -> Program:
    arguments = ("ingest", "--broker", BROKER, "--database", database)
    program = Program(arguments, folder / "ingest.log", line.inside(line.cloud)).start()
    program.wait_for_word("ingest_ready")
    return program
