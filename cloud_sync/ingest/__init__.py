"""The cloud's end: stores what boxes send, exactly once in effect, and acknowledges it."""

from cloud_sync.ingest.database import DatabaseAwayError, open_database, open_for_reading
from cloud_sync.ingest.settings import IngestSettings
from cloud_sync.ingest.worker import IngestWorker, run_ingest

__all__ = [
    "DatabaseAwayError",
    "IngestSettings",
    "IngestWorker",
    "open_database",
    "open_for_reading",
    "run_ingest",
]
