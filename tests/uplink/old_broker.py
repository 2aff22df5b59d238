"""A broker that knows MQTT 3.1.1 and nothing newer: rumqttd, told so."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.faults.brokers import wait_listening

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 4194304
max_segment_count = 4

[v4.1]
name = "old"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 5000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
"""


class OldBroker:
    """Runs for as long as the ``with`` block."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"mqtt://127.0.0.1:{port}"
        self._config = folder / "old.toml"
        self._config.write_text(_CONFIG.format(port=port), encoding="utf-8")

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "agent.broker", str(self._config)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)
        wait_listening(self.port)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.communicate()
