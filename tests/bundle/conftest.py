"""Fixtures of this room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from cloud_sync.ingest import open_database
from tests.faults.fixtures import box, cloud, make_mosquitto, mosquitto

__all__ = ["box", "cloud", "make_mosquitto", "mosquitto"]


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """The cloud's database, of both kinds."""
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = open_database(url)
    yield engine
    engine.dispose()
