"""A month without a link on a stick: rows a second and memory of export and import, bytes a row.

``python -m benchmarks.bundle [--days 30] [--cameras 8] [--database URL]``. The outbox holds minute rollups of three
classes beside the row of the whole picture, with fruit in the picture by day, as a box would have made them. Each step
runs in a process of its own, which tells the most memory that it took; an export of an outbox of one day is the
measure for "flat".
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select

from cloud_sync.bundle import Importer, Trust, export_outbox, find_parts
from cloud_sync.ingest import open_database
from cloud_sync.ingest.schema import rollup
from cloud_sync.outbox import append_rollups
from cloud_sync.outbox.schema import metadata, stream
from cloud_sync.sqlite import open_sqlite
from cloud_sync.wire import Box, RollupRow
from tests.faults.ends import birth_message

BOX = Box("orchard", "box-1")
BEGIN_S = 1_700_006_400
MINUTES = 1440
CLASSES = ("*", "apple", "cherry", "pear")


def rows_of(minute: int, cameras: int, chance: Random) -> Iterator[RollupRow]:
    """Give the rows of one minute."""
    by_day = 360 <= minute % MINUTES < 1260
    for camera in range(cameras):
        for name in CLASSES:
            seen = chance.randrange(40) if by_day and name != "*" else 0
            if not seen and name != "*":
                continue  # a class has a row where it was seen
            confidence = round(chance.uniform(0.3, 0.9), 3) if seen else None
            mean = round(seen * chance.random() / 2, 3)
            start = BEGIN_S + 60 * minute
            frames = 300 - chance.randrange(3)
            yield RollupRow(f"row-{camera}", "*", name, start, 60, 1, 60_000, frames, seen, mean, seen, confidence)


def fill(path: Path, days: int, cameras: int) -> int:
    """Make the database of a box with so much in its outbox; return the number of rows."""
    engine = open_sqlite(path, write=True)
    metadata.create_all(engine)
    chance, rows = Random(1), 0
    for day in range(days):
        with engine.begin() as connection:
            if day == 0:
                connection.execute(insert(stream).values(id=uuid4().hex, next_seq=1, created_utc_ns=0))
            for minute in range(day * MINUTES, (day + 1) * MINUTES):
                made = list(rows_of(minute, cameras, chance))
                rows += len(made)
                append_rollups(connection, made, boot=1, created_utc_ns=0)
    engine.dispose()
    return rows


def export(path: Path, stick: Path) -> None:
    """Export all of it."""
    engine = open_sqlite(path, write=False)
    key = Ed25519PrivateKey.generate()
    export_outbox(engine, stick, box=BOX, key=key, birth=birth_message("0" * 32), now_ms=BEGIN_S * 1000)
    engine.dispose()


def take(url: str, stick: Path, rows: int) -> None:
    """Import all of it, and see that it is there."""
    engine = open_database(url)
    importer = Importer(engine, Trust(first_use=True), utc_ms=lambda: BEGIN_S * 1000)
    problems = [result.problem for result in map(importer.take, find_parts([stick])) if result.problem]
    with engine.connect() as connection:
        stored = connection.execute(select(func.count()).select_from(rollup)).scalar_one()
    engine.dispose()
    if problems or stored != rows:
        raise SystemExit(f"{stored} of {rows} rows are there; {problems}")


def measured(work: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Run in a fresh process; return seconds and the most memory in MB."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_timed, args=(results, work, arguments))
    process.start()
    result: tuple[float, float] = results.get(timeout=3600)
    process.join()
    return result


def _timed(results: "multiprocessing.Queue[tuple[float, float]]", work: Callable[..., None], arguments: tuple) -> None:
    began = time.monotonic()
    work(*arguments)
    results.put((time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--database", metavar="URL", help="an empty one (default: SQLite beside the rest)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stick in ("day", "all"):
            (folder / stick).mkdir()
        day = fill(folder / "day.db", 1, options.cameras)
        rows = fill(folder / "all.db", options.days, options.cameras)
        _, day_mb = measured(export, folder / "day.db", folder / "day")
        export_s, export_mb = measured(export, folder / "all.db", folder / "all")
        size = sum(path.stat().st_size for path in (folder / "all").iterdir())
        import_s, import_mb = measured(
            take, options.database or f"sqlite:///{folder / 'cloud.db'}", folder / "all", rows
        )
    print(f"export of {day} rows: {day_mb:.0f} MB of memory")
    print(f"export of {rows} rows: {rows / export_s:.0f} rows/s, {export_mb:.0f} MB, {size / rows:.1f} bytes a row")
    print(f"import of {rows} rows: {rows / import_s:.0f} rows/s, {import_mb:.0f} MB")


if __name__ == "__main__":
    main()
