"""Fixtures of this room, and the collector of its results."""

import pytest

pytest.register_assert_rewrite("tests.faults.site")

# ruff: noqa: E402  an assertion is only explained where the module was announced before its import
from tests.faults.disks import small_disk
from tests.faults.fixtures import (
    box,
    broker,
    cloud,
    libfaketime,
    make_cloud,
    make_mosquitto,
    make_site,
    mosquitto,
    site,
)
from tests.faults.matrix import Matrix
from tests.faults.namespaces import line

__all__ = [
    "box",
    "broker",
    "cloud",
    "libfaketime",
    "line",
    "make_cloud",
    "make_mosquitto",
    "make_site",
    "mosquitto",
    "site",
    "small_disk",
]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Matrix(), "fault-matrix")
