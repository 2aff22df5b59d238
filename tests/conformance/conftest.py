"""Fixtures of the conformance suites."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from cloud_sync.ingest import open_database


@pytest.fixture
def database(cloud_url: str) -> Iterator[Engine]:
    engine = open_database(cloud_url)
    yield engine
    engine.dispose()
