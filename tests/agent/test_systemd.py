"""The service manager is told in its own protocol, and its unit is one it accepts."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from agent.systemd import notify, watchdog_interval_s
from tests.conftest import ROOT

UNIT = ROOT / "systemd" / "hedgerow-agent.service"


def test_notify_reaches_the_socket(tmp_path: Path, monkeypatch):
    """What we say arrives as one datagram; without a service manager it is said to nobody."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_watchdog_interval(monkeypatch):
    """The interval is read from the environment, and only if it is meant for this process."""
    monkeypatch.setenv("WATCHDOG_USEC", "90000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_interval_s() == 90.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval_s() is None


def test_unit_is_accepted(tmp_path: Path, require):
    """systemd finds nothing wrong with the unit."""
    verify = require("systemd-analyze")
    program = Path(sys.executable).with_name("hedgerow")
    unit = tmp_path / UNIT.name
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/hedgerow/bin/hedgerow", str(program)), encoding="utf-8"
    )
    result = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in result.stderr.splitlines() if UNIT.name in line]
    assert (result.returncode, complaints) == (0, []), result.stderr


def test_unit_is_confined(tmp_path: Path, require):
    """systemd's own measure calls the exposure of the service low."""
    verify = require("systemd-analyze")
    result = subprocess.run(
        [verify, "security", "--offline=true", str(UNIT)], capture_output=True, text=True, timeout=60, check=False
    )
    level = re.search(r"Overall exposure level.*?: ([0-9.]+)", result.stdout)
    assert level is not None, result.stdout + result.stderr
    assert float(level.group(1)) < 3.0
