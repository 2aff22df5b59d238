"""Real brokers that a test may kill."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from agent.broker import DemoBroker


class Mosquitto:
    """A mosquitto on loopback. ``lines`` are added to its configuration."""

    def __init__(self, program: str, folder: Path, port: int, *lines: str) -> None:
        self.port = port
        self.url = f"mqtt://127.0.0.1:{port}"
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / f"mosquitto-{port}.conf"
        access = [] if any("password_file" in line for line in lines) else ["allow_anonymous true"]
        user = ["user root"] if os.getuid() == 0 else []
        text = "\n".join([f"listener {port} 127.0.0.1", *access, *user, "set_tcp_nodelay true", *lines])
        self._config.write_text(text + "\n", encoding="utf-8")
        self._log = folder / f"mosquitto-{port}.log"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", str(self._config)], stdout=log, stderr=log)
        wait_listening(self.port)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def reload(self) -> None:
        """Read the files again that its configuration names."""
        self.signal(signal.SIGHUP)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Iotcore:
    """The demo's broker on a port that stays the same over restarts."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"mqtt://127.0.0.1:{port}"
        self._broker = DemoBroker(port)

    def start(self) -> None:
        self._broker = DemoBroker(self.port)
        self._broker.__enter__()

    def kill(self) -> None:
        assert self._broker.pid is not None
        os.kill(self._broker.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        self._broker.__exit__(None, None, None)


Broker = Mosquitto | Iotcore


def wait_listening(port: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.5):
                return
        except OSError:
            time.sleep(0.01)
    raise AssertionError(f"nothing listens on port {port}")
