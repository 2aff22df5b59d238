"""Messages a second from the outbox to their PUBACK, beside ``mosquitto_pub -l -q 1`` with the same payloads."""

import subprocess
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.sync.programs import empty_box, listening, mosquitto
from benchmarks.sync.season import fill_with_events


def measure(folder: Path, *, rounds: int, count: int) -> list[Figure]:
    """Send ``count`` small events one by one, both ways in turn, to the same broker with the same subscriber."""
    ours, theirs, cpu_us = [], [], []
    with mosquitto(folder) as broker, listening(broker):
        for number in range(rounds):
            database = folder / f"events-{number}.db"
            bodies = fill_with_events(database, count)
            took = empty_box(database, broker.url, confirm="broker")
            ours.append(count / took["seconds"])
            cpu_us.append(1e6 * took["cpu_s"] / count)
            theirs.append(count / _mosquitto_pub(broker.port, bodies))
            database.unlink()
    return [
        Figure("outbox to PUBACK", "messages/s", tuple(ours)),
        Figure("mosquitto_pub -l -q 1", "messages/s", tuple(theirs)),
        Figure(
            "outbox against mosquitto_pub",
            "x",
            tuple(one / other for one, other in zip(ours, theirs, strict=True)),
            at_least=0.5,
        ),
        Figure("processor time of the box", "us a message", tuple(cpu_us)),
    ]


def _mosquitto_pub(port: int, bodies: list[bytes]) -> float:
    """Return how long it takes, in seconds."""
    lines = b"\n".join(bodies) + b"\n"
    command = ["mosquitto_pub", "-p", str(port), "-q", "1", "-l", "-t", "hedgerow/v1/orchard/peer/event"]
    started_s = time.monotonic()
    subprocess.run(command, input=lines, check=True)
    return time.monotonic() - started_s
