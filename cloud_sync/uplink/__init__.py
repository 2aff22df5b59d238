"""The box's way to the broker: the outbox goes out, acknowledgements come in."""

from cloud_sync.uplink.settings import UplinkSettings
from cloud_sync.uplink.status import LINK_OFF, LinkState, LinkStatus
from cloud_sync.uplink.uplink import Uplink

__all__ = ["LINK_OFF", "LinkState", "LinkStatus", "Uplink", "UplinkSettings"]
