"""Rollup rows from a box's outbox through broker, ingest and cloud database to the ack; and their bytes on the wire."""

from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.sync.programs import cloud_database, empty_box, ingest, mosquitto
from benchmarks.sync.season import fill_with_rollups
from tests.faults.proxy import Proxy


def measure(folder: Path, *, rounds: int, rows: int, workers: int, database: str) -> list[Figure]:
    """Drain an outbox of ``rows`` rows into PostgreSQL or SQLite, each round a new box into the same cloud."""
    speeds, box_us, memory_mb = [], [], []
    with (
        mosquitto(folder) as broker,
        cloud_database(folder, database) as url,
        ingest(url, broker.url, workers=workers),
    ):
        for number in range(rounds):
            box = folder / f"rollups-{number}.db"
            written = fill_with_rollups(box, rows, seed=number)
            took = empty_box(box, broker.url, confirm="cloud", device=f"box-{number}")
            speeds.append(written / took["seconds"])
            box_us.append(took["cpu_s"] / written * 1e6)
            memory_mb.append(took["memory_mb"])
            box.unlink()
    name = f"rollup rows, outbox to ack, {database}"
    return [
        Figure(name, "rows/s", tuple(speeds), at_least=20_000 if database == "postgresql" else None),
        Figure("CPU of the box a row", "us", tuple(box_us)),
        Figure("memory of the box's end", "MB", tuple(memory_mb), note=f"{rows:,} rows waiting"),
    ]


def measure_bytes(folder: Path, *, rows: int) -> list[Figure]:
    """Count the bytes that a box sends for each row, with all that MQTT adds, on the socket."""
    with mosquitto(folder) as broker, cloud_database(folder, "sqlite") as url, ingest(url, broker.url, workers=1):
        box = folder / "bytes.db"
        written = fill_with_rollups(box, rows)
        with Proxy(broker.port) as link:
            empty_box(box, link.url, confirm="cloud")
            sent_bytes = link.sent_bytes
    return [Figure("bytes a rollup row on the wire", "bytes", (sent_bytes / written,), at_most=10)]
