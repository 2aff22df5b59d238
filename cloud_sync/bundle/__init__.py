"""The outbox on a USB stick, and back: the contract of the wire without a network."""

from cloud_sync.bundle.answers import Settled, find_answers, read_answer, settle, write_answer
from cloud_sync.bundle.errors import BundleError
from cloud_sync.bundle.export import Exported, export_outbox
from cloud_sync.bundle.files import replace_file
from cloud_sync.bundle.importer import Importer, PartResult, absent_parts, find_parts
from cloud_sync.bundle.keys import BOX_KEY, load_key, mint_key, public_hex, read_public
from cloud_sync.bundle.trust import Trust

__all__ = [
    "BOX_KEY",
    "BundleError",
    "Exported",
    "Importer",
    "PartResult",
    "Settled",
    "Trust",
    "absent_parts",
    "export_outbox",
    "find_answers",
    "find_parts",
    "load_key",
    "mint_key",
    "public_hex",
    "read_answer",
    "read_public",
    "replace_file",
    "settle",
    "write_answer",
]
