"""Fixtures of this room."""

from pathlib import Path

import pytest

from agent.config import Config
from tests.faults.fixtures import make_mosquitto

__all__ = ["make_mosquitto"]


@pytest.fixture
def configured(tmp_path):
    """Make a configuration of one simulated camera, with other sections as given."""

    def make(**sections) -> Config:
        base = {
            "box": {"site": "farm", "device": "box-1"},
            "storage": {"data_dir": tmp_path / "data"},
            "cameras": [{"name": "north", "source": "sim:orchard"}],
        }
        return Config.model_validate({**base, **sections})

    return make


@pytest.fixture
def file(tmp_path) -> Path:
    """A configuration file that only its owner reads."""
    path = tmp_path / "hedgerow.toml"
    path.write_text("", encoding="ascii")
    path.chmod(0o600)
    return path
