"""Everything on one machine: broker, agent, cloud ingest and status page, on loopback."""

import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Column, func, select

from agent.app import Agent
from agent.broker import DemoBroker
from agent.clock import SystemClock
from agent.config import (
    BoxConfig,
    CameraConfig,
    Config,
    ModelConfig,
    PageConfig,
    StorageConfig,
    SyncConfig,
    is_path,
    public_address,
)
from agent.errors import FatalError
from agent.store import DATABASE
from agent.store.schema import rollup as box_rollup
from agent.supervisor import Supervisor
from agent.types import ANY
from cloud_sync.ingest import IngestSettings, open_database, run_ingest
from cloud_sync.ingest.schema import rollup as cloud_rollup
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.sqlite import open_sqlite

SITE, DEVICE = "demo", "box-1"


def demo_config(source: str, *, port: int, data_dir: Path, broker: str) -> Config:
    """Return the configuration that the demo runs: one camera, the bundled model, the page on loopback."""
    name = "orchard" if source.startswith("sim:") else camera_name(source)
    path = str(Path(source).resolve()) if is_path(source) else source
    return Config(
        box=BoxConfig(site=SITE, device=DEVICE),
        storage=StorageConfig(data_dir=data_dir.resolve() / "box"),
        model=ModelConfig(backend="openvino"),  # the usual winner: a demo should begin, not measure
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
        FatalError: The port is in use, the folder cannot be written, or the source is a path where nothing is.
        SyncFatalError: The cloud's database cannot be opened.
    """
    if is_path(source) and not Path(source).exists():
        raise FatalError(f"there is no {source}; a source is an address, a video, a folder of images or sim:orchard")
    data_dir = data_dir.resolve()
    cloud = data_dir / "cloud.db"
    with DemoBroker() as broker:
        config = demo_config(source, port=port, data_dir=data_dir, broker=broker.url)
        with Agent(config) as agent:
            agent.page.bind()
            settings = IngestSettings(BrokerSettings(broker.url), f"sqlite:///{cloud}")
            open_database(settings.database).dispose()  # what is wrong with it is said here and now
            ingest = Supervisor()
            ingest.start("ingest", lambda ending, _beat: run_ingest(settings, ending, utc_ms=SystemClock().utc_ms))
            agent.run(stop, on_ready=lambda: _introduce(say, config, agent.page.url, broker.url, cloud))
            ingest.stop("ingest", timeout_s=2.0)
    _compare(say, config.storage.data_dir / DATABASE, cloud)


def _introduce(say: Callable[[str], None], config: Config, url: str, broker: str, cloud: Path) -> None:
    camera = config.cameras[0]
    say(
        f"""
Hedgerow is running, all of it on this machine:
  camera   {public_address(camera.watched)}, up to {camera.fps:g} pictures a second analysed
  box      detects, tracks and counts; keeps a row a minute in {config.storage.data_dir}
  broker   {broker} (watch it: {_command()} tap --broker {broker})
  cloud    stores what arrives in {cloud}

Open {url}
Ctrl-C ends it; the next start continues with the same data.
"""
    )


def _command() -> str:
    """Return how this program is called from where the person is: it may stand in an environment off the PATH."""
    program = Path(sys.argv[0])
    if shutil.which(program.name) or program.name != "hedgerow":
        return "hedgerow"
    return os.path.relpath(program)


def _compare(say: Callable[[str], None], box: Path, cloud: Path) -> None:
    """Say what both sides have, so that everybody can see whether it is the same."""
    rows, objects = _totals(box, box_rollup.c.unique_tracks, box_rollup.c.class_name)
    cloud_rows, cloud_objects = _totals(cloud, cloud_rollup.c.unique_tracks, cloud_rollup.c.class_name)
    say(f"On the box: {rows} rows, {objects} objects. In the cloud: {cloud_rows} rows, {cloud_objects} objects.")


def _totals(path: Path, unique: Column[int], class_name: Column[str]) -> tuple[int, int]:
    """Return how many rollup rows a database has, and the unique objects in them."""
    engine = open_sqlite(path, write=False)
    with engine.connect() as connection:
        rows = connection.execute(select(func.count()).select_from(unique.table)).scalar_one()
        objects = connection.execute(select(func.coalesce(func.sum(unique), 0)).where(class_name == ANY)).scalar_one()
    engine.dispose()
    return rows, objects
