"""The durable queue between the box and the cloud, in the box's own database."""

from cloud_sync.outbox.outbox import (
    BusyError,
    Depth,
    Entry,
    Outbox,
    WriteQueue,
    append,
    append_event,
    append_rollups,
    read_depth,
)

__all__ = [
    "BusyError",
    "Depth",
    "Entry",
    "Outbox",
    "WriteQueue",
    "append",
    "append_event",
    "append_rollups",
    "read_depth",
]
