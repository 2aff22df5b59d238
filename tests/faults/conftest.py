"""Fixtures of this room, and the collector of its results."""

import pytest

from tests.faults.disks import small_disk
from tests.faults.fixtures import box, broker, cloud, make_cloud, make_mosquitto, make_site, mosquitto, site
from tests.faults.matrix import Matrix

__all__ = ["box", "broker", "cloud", "make_cloud", "make_mosquitto", "make_site", "mosquitto", "site", "small_disk"]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Matrix(), "fault-matrix")
