"""The durable queue between the box and the cloud, in the box's own database."""

from cloud_sync.outbox.append import (
    append,
    append_clock,
    append_event,
    append_evidence,
    append_rollups,
    append_shed,
    move_windows,
)
from cloud_sync.outbox.depth import ChannelDepth, Depth, read_depth
from cloud_sync.outbox.entry import Entry
from cloud_sync.outbox.losses import windows_of
from cloud_sync.outbox.outbox import Outbox
from cloud_sync.outbox.quarantine import SetAside, read_quarantine, set_aside
from cloud_sync.outbox.shed import leave_unmerged, oldest_window, shed_merged, shed_oldest
from cloud_sync.outbox.usage import DAY_MS, Usage, add_usage, read_usage
from cloud_sync.outbox.write_queue import BusyError, WriteQueue

__all__ = [
    "DAY_MS",
    "BusyError",
    "ChannelDepth",
    "Depth",
    "Entry",
    "Outbox",
    "SetAside",
    "Usage",
    "WriteQueue",
    "add_usage",
    "append",
    "append_clock",
    "append_event",
    "append_evidence",
    "append_rollups",
    "append_shed",
    "leave_unmerged",
    "move_windows",
    "oldest_window",
    "read_depth",
    "read_quarantine",
    "read_usage",
    "set_aside",
    "shed_merged",
    "shed_oldest",
    "windows_of",
]
