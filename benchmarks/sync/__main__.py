"""Measure the sync: ``make bench-sync``, or ``python -m benchmarks.sync [--rounds N] [--rows N] [--json FILE]``.

Real mosquitto, real PostgreSQL, both ends as processes of their own on this machine. Compared figures are measured
in turn in one run. Exits with 1 where a figure misses what it must reach.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, machine, table
from benchmarks.sync import link, messages, rollups


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync", description="Measure the sync, end to end.")
    parser.add_argument("--rounds", type=int, default=5, help="of each figure (default 5)")
    parser.add_argument("--messages", type=int, default=20_000, help="small messages a round (default 20,000)")
    parser.add_argument("--rows", type=int, default=200_000, help="rollup rows a round (default 200,000)")
    parser.add_argument("--workers", type=int, default=1, help="ingest workers (default 1)")
    parser.add_argument("--link-seconds", type=float, default=30.0, help="of draining over 64 kbit/s (default 30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as folder:
        for name, measure in (
            ("messages", lambda at: messages.measure(at, rounds=options.rounds, count=options.messages)),
            ("postgresql", lambda at: _rollups(at, options, "postgresql")),
            ("sqlite", lambda at: _rollups(at, options, "sqlite")),
            ("a slow link", lambda at: link.measure(at, bits_per_s=64_000, seconds=options.link_seconds)),
            ("bytes", lambda at: rollups.measure_bytes(at, rows=options.rows)),
        ):
            print(f"measuring {name}...", file=sys.stderr, flush=True)
            at = Path(folder) / name.replace(" ", "-")
            at.mkdir()
            figures += measure(at)
    print(f"{machine()}; {options.rounds} rounds\n\n{table(figures)}")
    if options.json is not None:
        report = {"machine": machine(), "figures": [figure.as_dict() for figure in figures]}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.exit(not all(figure.reached for figure in figures))


def _rollups(folder: Path, options: argparse.Namespace, database: str) -> list[Figure]:
    return rollups.measure(folder, rounds=options.rounds, rows=options.rows, workers=options.workers, database=database)


if __name__ == "__main__":
    main()
