"""Small messages one by one: outbox to acknowledged PUBACK, beside ``mosquitto_pub -l -q 1`` on the same broker.

python -m benchmarks.sync.single --messages 20000
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.sync.link import free_port
from cloud_sync.outbox import append
from cloud_sync.wire import Channel
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, eventually, fast_settings


def main() -> None:
    """Run both once, in turn, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    programs = [shutil.which(name) for name in ("mosquitto", "mosquitto_pub", "mosquitto_sub")]
    if None in programs:
        raise SystemExit("this needs mosquitto and its clients: apt-get install mosquitto mosquitto-clients")
    with tempfile.TemporaryDirectory() as name:
        broker = Mosquitto(str(programs[0]), Path(name), free_port(), "max_queued_messages 0")
        broker.start()
        try:
            subscribe = [str(programs[2]), "-p", str(broker.port), "-t", "hedgerow/#", "-q", "0"]
            listener = subprocess.Popen(subscribe, stdout=subprocess.DEVNULL)
            theirs = published(str(programs[1]), broker.port, options.messages)
            ours = drained(broker.url, Path(name), options.messages)
            listener.terminate()
            listener.wait()
        finally:
            broker.stop()
    print(f"mosquitto_pub  {theirs:.0f} messages a second")
    print(f"outbox         {ours:.0f} messages a second, read, packed, sent, acknowledged and settled")
    print(f"ratio          {ours / theirs:.2f}")


def body(number: int) -> dict[str, object]:
    """Return the fields of an event as an agent writes them."""
    data = {"class": "person", "zone": "gate", "for_s": number % 100}
    return {"kind": "loitering", "camera": "north", "at_ms": 1_700_000_000_000 + number, "data": data}


def published(program: str, port: int, messages: int) -> float:
    """Return the rate of mosquitto_pub, which ends at the last PUBACK."""
    lines = "".join(json.dumps(body(number)) + "\n" for number in range(messages)).encode()
    command = [program, "-p", str(port), "-t", "hedgerow/v1/a/b/event", "-q", "1", "-l"]
    began = time.monotonic()
    subprocess.run(command, input=lines, check=True)
    return messages / (time.monotonic() - began)


def drained(url: str, folder: Path, messages: int) -> float:
    """Return the rate at which an outbox empties where a PUBACK is enough."""
    box = BoxEnd(folder / "box.db")
    try:

        def fill(connection: object) -> None:
            for number in range(messages):
                text = json.dumps(body(number), separators=(",", ":")).encode()
                append(connection, Channel.EVENT, text, boot=1, created_utc_ns=0)  # type: ignore[arg-type]

        box.writer.submit(fill).result(600)
        uplink = box.start_uplink(fast_settings(url, confirm="broker"))
        eventually(lambda: uplink.status().connects == 1)
        began, before = time.monotonic(), box.outbox.depth().entries
        eventually(lambda: box.outbox.depth().entries == 0, within_s=600)
        return before / (time.monotonic() - began)
    finally:
        box.close()


if __name__ == "__main__":
    main()
