"""The agent and its decoder process: neither takes the other along, and none is left behind."""

import json
import os
import signal
from pathlib import Path
from urllib.request import urlopen

from tests.capture.cameras import make_video
from tests.end_to_end.programs import Program
from tests.waiting import eventually, free_ports


def decoder_of(agent: Program) -> int | None:
    """The number of the agent's decoder process; None where it has none."""
    tasks = Path(f"/proc/{agent.process.pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return int(children[0]) if children else None


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_crash_of_the_decoder_and_of_the_agent(tmp_path: Path, start):
    """A decoder killed by SIGSEGV is replaced while the agent goes on; one whose agent is killed ends by itself."""
    make_video(tmp_path / "video.mp4")
    (port,) = free_ports(1)
    configuration = tmp_path / "hedgerow.toml"
    configuration.write_text(
        f'[box]\nsite = "farm"\ndevice = "box-1"\n[storage]\ndata_dir = "{tmp_path}/data"\n[page]\nport = {port}\n'
        f'[[cameras]]\nname = "north"\nsource = "{tmp_path}/video.mp4"\nloop = true\nfps = 2\n',
        encoding="utf-8",
    )
    agent = start("run", "--config", configuration)

    def camera() -> dict:
        with urlopen(f"http://127.0.0.1:{port}/api/status", timeout=5) as answer:
            return json.load(answer)["cameras"][0]

    agent.wait_for_word("agent_ready")
    eventually(lambda: camera()["state"] == "live", 30, agent.said)
    first, frames = decoder_of(agent), camera()["frames_captured"]
    os.kill(first, signal.SIGSEGV)
    eventually(lambda: camera()["failures"].get("decoder-lost") == 1 and camera()["state"] == "live", 30, agent.said)
    eventually(lambda: camera()["frames_captured"] > frames, 30, agent.said)
    assert ended(first)
    second = decoder_of(agent)
    agent.process.kill()
    eventually(lambda: ended(second), 10)
