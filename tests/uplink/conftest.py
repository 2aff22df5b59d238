"""Fixtures of this room."""

from tests.faults.fixtures import box, broker, cloud, make_mosquitto, mosquitto

__all__ = ["box", "broker", "cloud", "make_mosquitto", "mosquitto"]
