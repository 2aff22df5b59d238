"""Either end as a process of its own, for tests that kill it."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from cloud_sync.ingest import IngestSettings, run_ingest
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.uplink import UplinkSettings
from tests.faults.ends import BoxEnd, fast_settings, utc_ms
from tests.waiting import eventually


def start_process(
    kind: str, database: Path | str, url: str, *more: str, prefix: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """Start an end, and wait until it is online, or has done what it is for; ``prefix`` is a program that starts it."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "tests.faults.processes", kind, str(database), url, *more],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) != "ready\n":
        assert line, "it ended before it was ready"
    threading.Thread(target=process.stdout.read, daemon=True).start()  # so that its log does not fill the pipe
    return process


def _uplink(database: str, url: str) -> None:
    box = BoxEnd(Path(database))
    uplink = box.start_uplink(fast_settings(url))
    eventually(lambda: uplink.status().state == "online")
    print("ready", flush=True)
    threading.Event().wait()


def _drain(database: str, url: str) -> None:
    """Send what waits, as patiently as a box does, and end."""
    box = BoxEnd(Path(database))
    box.start_uplink(UplinkSettings(BrokerSettings(url)))
    eventually(lambda: box.waiting() == [], within_s=600)
    print("ready", flush=True)
    box.close()


def _ingest(database: str, url: str, client_id: str = "hedgerow-ingest") -> None:
    """``database`` is a path or an address."""
    address = database if "://" in database else f"sqlite:///{database}"
    settings = IngestSettings(BrokerSettings(url), address, client_id, batch_messages=3)
    run_ingest(settings, threading.Event(), utc_ms=utc_ms, on_ready=lambda: print("ready", flush=True))


if __name__ == "__main__":
    kind, path, url, *more = sys.argv[1:]
    {"uplink": _uplink, "drain": _drain, "ingest": _ingest}[kind](path, url, *more)
