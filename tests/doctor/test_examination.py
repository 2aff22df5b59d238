"""The doctor as a whole, by its command."""

import json
import subprocess
import sys

import pytest

from agent.detection.choice import MEMORY

CONFIG = """
[box]
site = "farm"
device = "box-1"
[storage]
data_dir = "data"
[[cameras]]
name = "north"
source = "{source}"
"""


def doctor(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "agent.cli", "doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def config(tmp_path):
    def write(source: str):
        path = tmp_path / "hedgerow.toml"
        path.write_text(CONFIG.format(source=source), encoding="utf-8")
        return path

    return write


def test_a_good_box_passes(config, tmp_path):
    """Every check is one line, the table of runtimes follows, the exit code is 0, and the agent will remember."""
    done = doctor("--config", config("sim:orchard"))
    assert done.returncode == 0, done.stdout + done.stderr
    for check in ("model", "disk", "disk speed", "clock", "service", "data directory", "broker", "camera north"):
        assert [line for line in done.stdout.splitlines() if line[6:].startswith(check + " ")], check
    assert " *" in done.stdout
    assert (tmp_path / "data" / MEMORY).exists() is ("times scatter" not in done.stdout)  # the machine may be busy


def test_what_fails_fails_the_command(config):
    """A camera that is not there gives exit code 1, and JSON says the same as the lines."""
    done = doctor("--config", config("absent.mp4"), "--json")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["failed"] is True
    failed = [finding["check"] for finding in result["findings"] if finding["level"] == "fail"]
    assert failed == ["camera north"]
    trials = {trial["backend"]: trial for trial in result["backends"]["trials"]}
    assert result["backends"]["chosen"] in trials
    assert all(trial["wall_ms"] > 0 for trial in trials.values())


def test_a_model_that_is_not_installed_is_a_finding(config):
    """A missing model does not keep the rest of the box from being looked over."""
    path = config("sim:orchard")
    path.write_text(path.read_text(encoding="utf-8") + '[model]\nname = "absent"\n', encoding="utf-8")
    findings = json.loads(doctor("--config", path, "--json").stdout)["findings"]
    assert [finding["check"] for finding in findings if finding["level"] == "fail"] == ["model"]
    assert "camera north" in [finding["check"] for finding in findings]


def test_without_a_configuration_the_machine_is_checked():
    """Before anything is configured, model, clock and service can be looked at."""
    done = doctor("--json")
    assert done.returncode == 0
    assert [finding["check"] for finding in json.loads(done.stdout)["findings"]] == ["model", "clock", "service"]


def test_a_wrong_configuration_is_one_line(tmp_path):
    """A configuration that cannot be read stops with its mistake."""
    done = doctor("--config", tmp_path / "absent.toml")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
