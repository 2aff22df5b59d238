"""The box's database: schema, migrations, the one writer, retention, integrity."""

from agent.store.checkpoint import Checkpoint
from agent.store.history import (
    counts_since,
    daily_sums,
    days_recorded,
    last_event,
    measures_since,
    newest_window_s,
    windows_without_place,
)
from agent.store.moving import BELIEVED_NS, Looked, settle
from agent.store.recorder import Recorder
from agent.store.records import assign_places, record_event, record_rollups
from agent.store.retention import delete_older
from agent.store.shedding import Limits, Shedder
from agent.store.space import give_back
from agent.store.store import DATABASE, Store, is_running, open_store
from agent.store.stored_status import stored_status, summary_lines
from agent.store.writer import Writer

__all__ = [
    "BELIEVED_NS",
    "DATABASE",
    "Checkpoint",
    "Limits",
    "Looked",
    "Recorder",
    "Shedder",
    "Store",
    "Writer",
    "assign_places",
    "counts_since",
    "daily_sums",
    "days_recorded",
    "delete_older",
    "give_back",
    "is_running",
    "last_event",
    "measures_since",
    "newest_window_s",
    "open_store",
    "record_event",
    "record_rollups",
    "settle",
    "stored_status",
    "summary_lines",
    "windows_without_place",
]
