"""The agent as a process of its own, as it is run on a box."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen


@contextlib.contextmanager
def daemon(data: Path, cameras: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the agent as a base install does, on OpenVINO.

    Args:
        data: Its data directory; the configuration lies beside it.
        cameras: That part of its configuration.
        port: For the page.
    """
    box = '[box]\nsite = "bench"\ndevice = "box"\n[model]\nbackend = "openvino"\n'
    text = f'{box}[storage]\ndata_dir = "{data}"\n'
    path = data.with_suffix(".toml")
    path.write_text(f"{text}[page]\nport = {port}\n{cameras}", encoding="utf-8")
    program = Path(sys.executable).parent / "hedgerow"
    process = subprocess.Popen([program, "run", "--config", path], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def frames(port: int) -> tuple[int, int]:
    """Return how many frames were captured, and how many of them were still."""
    with urlopen(f"http://127.0.0.1:{port}/api/status", timeout=5) as answer:
        cameras = json.load(answer)["cameras"]
    return sum(c["frames_captured"] for c in cameras), sum(c["frames_still"] for c in cameras)
