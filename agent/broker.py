"""The demo's MQTT broker: a real one (rumqttd, from the wheel ``iotcore``) in a child process, on loopback.

It keeps everything in memory and asks for no password: a site brings its own broker.
"""

import importlib.util
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from agent.errors import FatalError

HOST = "127.0.0.1"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 2.0

# What rumqttd needs to speak MQTT 5 on loopback. It logs each topic in memory: segment size times count bounds that.
_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 4194304
max_segment_count = 4

[v5.1]
name = "hedgerow"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = 1048576
max_inflight_count = 100
dynamic_filters = true
"""


class DemoBroker:
    """A broker for as long as the ``with`` block runs."""

    def __init__(self, port: int = 0) -> None:
        """Prepare; entering the block starts it.

        Args:
            port: On 127.0.0.1; 0 takes a free one.
        """
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        """Return ``mqtt://127.0.0.1:PORT``."""
        return f"mqtt://{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs."""
        return self._process.pid if self._process is not None else None

    def __enter__(self) -> Self:
        """Start it, and wait until it listens.

        Raises:
            FatalError: ``iotcore`` is not installed, the port is taken, or it does not start.
        """
        if importlib.util.find_spec("iotcore") is None:
            raise FatalError("the demo's broker is not installed; install it with: pip install 'hedgerow[demo]'")
        self._port = _claim_port(self._port)
        self._folder = TemporaryDirectory(prefix="hedgerow-broker-")
        config = Path(self._folder.name) / "rumqttd.toml"
        config.write_text(_CONFIG.format(host=HOST, port=self._port), encoding="utf-8")
        # A session of its own: Ctrl-C in the terminal must reach the agent first, which still has something to send.
        # The pipe is its lifeline: when this process ends, however it ends, the broker reads the end of it.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agent.broker", str(config)], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            self._wait_until_listening(self._process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self._stop()

    def _wait_until_listening(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise FatalError(f"the demo's broker ended at once, with exit code {process.returncode}")
            try:
                with socket.create_connection((HOST, self._port), timeout=0.5):
                    return
            except OSError:
                time.sleep(0.02)
        raise FatalError(f"the demo's broker did not listen on {HOST}:{self._port} within {START_TIMEOUT_S:g} s")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _claim_port(port: int) -> int:
    """Return the port, or a free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise FatalError(f"port {port} on {HOST} cannot be used for the broker: {error.strerror}") from error
        return int(probe.getsockname()[1])


def _serve(config: str) -> None:
    """Be the broker, in the child process."""
    from iotcore import IotCoreBroker  # noqa: PLC0415  an extra, and only the child needs it

    # rumqttd writes a line at level ERROR for each packet that it routes.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    IotCoreBroker(config_path=config).run_forever()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
