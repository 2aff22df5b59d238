"""Everything on one machine: broker, agent, cloud ingest and status page, on loopback."""

import re
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.app import Agent
from agent.broker import DemoBroker
from agent.config import BoxConfig, CameraConfig, Config, PageConfig, StorageConfig, SyncConfig
from agent.errors import FatalError
from agent.store import DATABASE
from agent.supervisor import Supervisor
from cloud_sync.ingest import IngestSettings, run_ingest
from cloud_sync.mqtt import BrokerSettings

SITE, DEVICE = "demo", "box-1"


@dataclass(frozen=True, slots=True)
class Totals:
    """Unique objects and frames in a database, over all whole-picture rows of all classes."""

    rows: int
    unique: int
    frames: int


def demo_config(source: str, *, port: int, data_dir: Path, broker: str) -> Config:
    """Return the configuration that the demo runs: one camera, the bundled model, the page on loopback."""
    name = "orchard" if source.startswith("sim:") else camera_name(source)
    path = source if "://" in source or source.startswith("sim:") else str(Path(source).resolve())
    return Config(
        box=BoxConfig(site=SITE, device=DEVICE),
        storage=StorageConfig(data_dir=data_dir.resolve() / "box"),
        cameras=(CameraConfig(name=name, source=path, loop=True),),
        sync=SyncConfig(broker=broker, health_every_s=30),
        page=PageConfig(port=port),
    )


def camera_name(source: str) -> str:
    """Return a camera name made of what a source is called: ``video/Orchard Pan.mp4`` is ``orchard-pan``."""
    last = re.sub(r"[?#].*", "", source).rstrip("/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    name = re.sub(r"[^a-z0-9_-]+", "-", last.lower()).strip("-_")[:63]
    return name or "camera"


def run_demo(source: str, *, port: int, data_dir: Path, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Run until ``stop`` is set, then store, send and close everything.

    Args:
        source: As in ``CameraConfig.source``; a path is relative to the working directory.
        port: Of the page; 0 is any.
        data_dir: The box's data goes to ``box/`` in it, the cloud's database is ``cloud.db``.
        stop: Set to end.
        say: Tells the person in front of it.

    Raises:
        FatalError: The port is in use, the folder cannot be written, or the source is a file that does not exist.
    """
    _check_source(source)
    cloud = data_dir.resolve() / "cloud.db"
    with ExitStack() as opened:
        broker = opened.enter_context(DemoBroker())
        config = demo_config(source, port=port, data_dir=data_dir, broker=broker.url)
        agent = Agent(config)
        url = agent.page.bind()
        ingest = opened.enter_context(_Ingest(broker.url, cloud))
        _introduce(say, config, url, broker.url, cloud)
        agent.run(stop)
        ingest.wait_until_equal(lambda: _totals(config.storage.data_dir / DATABASE, "box") == _totals(cloud, "cloud"))
    box, there = _totals(config.storage.data_dir / DATABASE, "box"), _totals(cloud, "cloud")
    say(f"Stored on the box: {box.rows} rollups, {box.unique} objects. In the cloud: {there.rows} and {there.unique}.")
