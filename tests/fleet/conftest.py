"""Fixtures of this room."""

from tests.bundle.conftest import database

__all__ = ["database"]
