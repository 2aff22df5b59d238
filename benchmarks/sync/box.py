"""A box's end as a process of its own: empties the outbox of a database, and says what that took.

``python -m benchmarks.sync.box DATABASE URL {cloud,broker} DEVICE`` prints a JSON object when nothing waits any more.
"""

import json
import resource
import sys
import time
from pathlib import Path

from cloud_sync.mqtt import BrokerSettings
from cloud_sync.uplink import UplinkSettings
from cloud_sync.wire import Box
from tests.faults.ends import BoxEnd


def main() -> None:
    """Empty the outbox."""
    database, url, confirm, device = sys.argv[1:]
    box = BoxEnd(Path(database), Box("orchard", device))
    waiting = box.outbox.last_seq()
    started_s, cpu_before_s = time.monotonic(), time.process_time()
    uplink = box.start_uplink(UplinkSettings(BrokerSettings(url), confirm="cloud" if confirm == "cloud" else "broker"))
    while uplink.status().confirmed_through < waiting:
        time.sleep(0.005)
    seconds = time.monotonic() - started_s
    took = {
        "seconds": seconds,
        "cpu_s": time.process_time() - cpu_before_s,
        "messages": uplink.status().sent_messages,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    box.close()
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
