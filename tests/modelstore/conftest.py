"""Fixtures of this room."""

import pytest

from agent.modelstore import ModelStore
from tests.detection.conftest import make_model

__all__ = ["make_model"]


@pytest.fixture
def store(tmp_path) -> ModelStore:
    """An empty store."""
    return ModelStore(tmp_path / "data")
