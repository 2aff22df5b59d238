"""Fixtures of this room."""

from tests.faults.fixtures import box

__all__ = ["box"]
