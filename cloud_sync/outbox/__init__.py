"""The durable queue between the box and the cloud, in the box's own database."""

from cloud_sync.outbox.append import append, append_event, append_evidence, append_rollups, append_shed
from cloud_sync.outbox.depth import ChannelDepth, Depth, read_depth
from cloud_sync.outbox.entry import Entry
from cloud_sync.outbox.outbox import BusyError, Outbox, WriteQueue
from cloud_sync.outbox.usage import DAY_MS, Usage, add_usage, read_usage

__all__ = [
    "DAY_MS",
    "BusyError",
    "ChannelDepth",
    "Depth",
    "Entry",
    "Outbox",
    "Usage",
    "WriteQueue",
    "add_usage",
    "append",
    "append_event",
    "append_evidence",
    "append_rollups",
    "append_shed",
    "read_depth",
    "read_usage",
]
