"""Disk, clock, permissions and service."""

import threading
from pathlib import Path

import pytest

from agent.clock import ManualClock, SystemClock
from agent.doctor import disk
from agent.doctor.clock import look_at_clock
from agent.doctor.disk import look_at_disk
from agent.doctor.finding import Finding, Level, Running
from agent.doctor.permissions import look_at_permissions
from agent.doctor.service import judge_unit, look_at_service


def test_the_disk_is_measured_and_left_clean(tmp_path):
    """Room and speed are told of the nearest folder that exists, and nothing stays behind."""
    room, speed = look_at_disk(tmp_path / "not" / "made" / "yet")
    assert (room.check, speed.check) == ("disk", "disk speed")
    assert "MB/s" in speed.text
    assert list(tmp_path.iterdir()) == []


def test_a_disk_nearly_full_is_told(tmp_path, monkeypatch):
    """Less room than the agent needs is a warning first and then a failure."""
    for low, full, level in ((10**18, 0, Level.WARN), (10**18, 10**18, Level.FAIL)):
        monkeypatch.setattr(disk, "_LOW_BYTES", low)
        monkeypatch.setattr(disk, "_FULL_BYTES", full)
        assert look_at_disk(tmp_path)[0].level is level


def test_a_folder_that_refuses_writes_is_told():
    """Where no file can be made, the system's reason is given."""
    (finding,) = look_at_disk(Path("/proc/self"))
    assert finding.level is Level.FAIL
    assert finding.text.startswith("cannot write in /proc/self")


def test_a_clock_that_was_never_set_is_told():
    """In 1970 nothing else about the clock matters."""
    (finding,) = look_at_clock(ManualClock(utc_ns=86_400 * 10**9))
    assert finding.level is Level.FAIL
    assert finding.text.startswith("1970-01-02")


def test_this_clock_is_set():
    """On a machine with a date the kernel is asked who keeps it right, and answers."""
    (finding,) = look_at_clock(SystemClock())
    assert finding.level in {Level.OK, Level.WARN}
    assert "does not say" not in finding.text


@pytest.mark.parametrize(
    ("mode", "level"), [(0o600, Level.OK), (0o640, Level.OK), (0o660, Level.WARN), (0o644, Level.FAIL)]
)
def test_modes_of_secrets_are_judged(configured, file, tmp_path, mode, level):
    """A password that others can read fails, one that its group can write warns."""
    secret = tmp_path / "password"
    secret.write_text("secret", encoding="ascii")
    secret.chmod(mode)
    sync = {"broker": "mqtt://x", "username": "box", "password_file": secret}
    found = {finding.check: finding for finding in look_at_permissions(configured(sync=sync), file)}
    assert found["sync.password_file"].level is level
    assert bool(found["sync.password_file"].advice) is (level is not Level.OK)


def test_a_configuration_with_a_camera_password_is_a_secret(configured, file):
    """Only a configuration that holds a password has to be hidden."""
    file.chmod(0o644)
    found = {finding.check: finding.level for finding in look_at_permissions(configured(), file)}
    assert "camera passwords" not in found
    cameras = [{"name": "north", "source": "rtsp://user:secret@192.0.2.1/"}]
    found = {finding.check: finding.level for finding in look_at_permissions(configured(cameras=cameras), file)}
    assert found["camera passwords"] is Level.FAIL


def test_a_missing_model_file_is_told(configured, file, tmp_path):
    """A model that cannot be read is named with its key."""
    found = {f.check: f for f in look_at_permissions(configured(model={"path": tmp_path / "no.onnx"}), file)}
    assert found["model.path"].level is Level.FAIL
    assert "no.onnx" in found["model.path"].text


GOOD_UNIT = {"LoadState": "loaded", "ActiveState": "active", "WatchdogUSec": "1min 30s", "Restart": "always"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "active, watchdog 1min 30s"),
        ({"LoadState": "not-found"}, "is not installed"),
        ({"WatchdogUSec": "0"}, "no watchdog"),
        ({"WatchdogUSec": "infinity"}, "no watchdog"),
        ({"Restart": "no"}, "not started again"),
    ],
)
def test_the_unit_is_judged(changed, says):
    """The unit must be installed, watched and started again."""
    finding = judge_unit({**GOOD_UNIT, **changed})
    assert says in finding.text
    assert (finding.level is Level.OK) is (not changed)


def test_a_machine_without_systemd_is_told():
    """Whatever this machine runs under, there is one line, and a warning at most."""
    (finding,) = look_at_service()
    assert finding.level in {Level.OK, Level.WARN}


def test_a_check_that_hangs_is_given_up():
    """A check that does not end becomes a failure by its time limit, and does not hold the rest."""
    hang = threading.Event()
    (finding,) = Running("slow", lambda: [hang.wait(20)], 0.1).result()
    hang.set()
    assert finding == Finding("slow", Level.FAIL, "no answer within 0.1 s", finding.advice)


def test_a_check_that_breaks_is_a_finding():
    """A fault in one check is told like any other finding."""
    (finding,) = Running("broken", lambda: [1 / 0], 5.0).result()
    assert "ZeroDivisionError" in finding.text
