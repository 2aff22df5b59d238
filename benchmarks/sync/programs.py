"""The programs that a benchmark runs: a broker, a subscriber, a box, ingest workers, a PostgreSQL server."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.brokers import Mosquitto
from tests.postgres import Postgres, find_programs
from tests.waiting import free_ports

ROOT = Path(__file__).parents[2]


@contextmanager
def mosquitto(folder: Path) -> Iterator[Mosquitto]:
    """Run a mosquitto that keeps nothing, on a port of its own."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None or shutil.which("mosquitto_pub") is None:
        raise SystemExit("this benchmark needs mosquitto and mosquitto-clients")
    broker = Mosquitto(program, folder, *free_ports(1))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def listening(broker: Mosquitto) -> Iterator[None]:
    """Keep a subscriber to everything, so that the broker has somebody to send to."""
    command = ["mosquitto_sub", "-p", str(broker.port), "-t", "hedgerow/#", "-q", "0"]
    subscriber = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subscriber.kill()
        subscriber.wait()


@contextmanager
def cloud_database(folder: Path, kind: str) -> Iterator[str]:
    """Give the address of an empty database: SQLite, or a PostgreSQL server of its own."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'cloud.db'}"
        return
    programs = find_programs()
    if programs is None:
        raise SystemExit("this benchmark needs the PostgreSQL server")
    server = Postgres(programs)
    server.start()
    try:
        yield server.create_database()
    finally:
        server.stop()


@contextmanager
def ingest(database: str, broker_url: str, *, workers: int) -> Iterator[None]:
    """Run ``hedgerow ingest`` workers."""
    command = [sys.executable, "-m", "agent.cli", "ingest", "--broker", broker_url, "--database", database]
    running = []
    try:
        for _ in range(workers):
            running.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
            time.sleep(1.5)
        yield
    finally:
        for worker in running:
            worker.terminate()
        for worker in running:
            worker.wait()


def empty_box(database: Path, url: str, *, confirm: str, device: str = "box-1") -> dict[str, Any]:
    """Empty the outbox of a box's database in a process of its own; return what ``benchmarks.sync.box`` says of it."""
    command = [sys.executable, "-m", "benchmarks.sync.box", str(database), url, confirm, device]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    took: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return took
