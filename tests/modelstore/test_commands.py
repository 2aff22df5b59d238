"""`hedgerow models`, as a person types it."""

import json
import subprocess
import sys

import pytest

from agent.config import load_config
from agent.errors import ConfigError

CONFIG = (
    '[box]\nsite = "farm"\ndevice = "box-1"\n[storage]\ndata_dir = "data"\n[model]\nname = "orchard"\n[[cameras]]\n'
)
CAMERA = 'name = "north"\nsource = "sim:orchard"\n'


def hedgerow(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "agent.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "hedgerow.toml"
    path.write_text(CONFIG + CAMERA, encoding="ascii")
    return path


def test_add_list_check_remove(config, tmp_path):
    """A model is added, listed, used by its name, and not removed while the configuration names it."""
    missing = hedgerow("check", config)
    assert missing.returncode == 1
    assert "model.name: model 'orchard' is not installed" in missing.stderr
    added = hedgerow("models", "add", "orchard-yolo26n", "--name", "orchard", "--config", config)
    assert added.returncode == 0, added.stderr
    assert 'use it with [model] name = "orchard"' in added.stderr
    assert hedgerow("check", config).returncode == 0
    listed = json.loads(hedgerow("models", "list", "--json", "--config", config).stdout)
    assert [(each["name"], each["classes"]) for each in listed] == [("orchard", ["apple", "cherry", "pear"])]
    assert "orchard: 640x640" in hedgerow("models", "list", "--data", tmp_path / "data").stdout
    refused = hedgerow("models", "remove", "orchard", "--config", config)
    assert refused.returncode == 1
    assert "the agent could not start without it" in refused.stderr
    assert hedgerow("models", "remove", "orchard", "--data", tmp_path / "data").returncode == 0
    assert hedgerow("models", "list", "--json", "--config", config).stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [("add", "absent.pt"), ("remove", "absent"), ("add", "orchard-yolo26n", "--int8", "cameras"), ("remove", "../x")],
)
def test_mistakes_are_one_line(tmp_path, arguments):
    """What cannot be done is one line on standard error and exit code 1."""
    done = hedgerow("models", *arguments, "--data", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_help_teaches():
    """The help of `add` says what is taken, and what goes into the configuration."""
    text = hedgerow("models", "add", "--help").stdout
    for word in (".pt", "ONNX", "OpenVINO", "[model]", "--int8 cameras", "pickles"):
        assert word in text


def test_name_and_path_exclude_each_other(config):
    """A configuration that names a model twice is refused."""
    config.write_text(
        CONFIG.replace('name = "orchard"', 'name = "orchard"\npath = "a.onnx"') + CAMERA, encoding="ascii"
    )
    with pytest.raises(ConfigError, match="model: name and path exclude each other"):
        load_config(config)
