"""The cloud's end: stores what boxes send, exactly once in effect, and acknowledges it."""

from cloud_sync.ingest.database import open_database
from cloud_sync.ingest.settings import IngestSettings
from cloud_sync.ingest.worker import IngestWorker, run_ingest

__all__ = ["IngestSettings", "IngestWorker", "open_database", "run_ingest"]
