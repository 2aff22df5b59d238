"""One file of a bundle while it is written."""

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud_sync.bundle.blocks import OVERHEAD_BYTES, BlockWriter
from cloud_sync.bundle.contents import BUNDLE, END, HEADER, MESSAGES, PARTIAL_SUFFIX, SUFFIX, End, Header
from cloud_sync.bundle.errors import BundleError
from cloud_sync.bundle.files import sync_folder
from cloud_sync.uplink.parcel import Parcel

BLOCK_BYTES = 64 * 1024
"""A block is written when its messages are so many bytes: import stores it in one transaction."""


class Part:
    """Collects messages into blocks. Until ``finish`` the file has a name that says that it is not whole."""

    def __init__(self, path: Path, header: Header, key: Ed25519PrivateKey, *, most_bytes: int) -> None:
        """Begin the file.

        Args:
            path: Its name without suffix.
            header: First block.
            key: Signs.
            most_bytes: How large the file may become; one message is written whatever its size.

        Raises:
            OSError: It cannot be written.
            BundleError: A file of this name is there.
        """
        self.path = path.with_name(path.name + SUFFIX)
        self._partial = path.with_name(path.name + PARTIAL_SUFFIX)
        if self.path.exists():
            raise BundleError(f"{self.path} exists already; nothing is overwritten")
        self._file = FileIO(self._partial, "x")
        self._most_bytes = most_bytes
        self._waiting = bytearray()
        self._seqs = (0, 0)  # of what waits: first and last
        self._waiting_entries = 0
        self.entries = 0
        self.first = self.last = 0
        try:
            self._blocks = BlockWriter(self._file, BUNDLE, key)
            self._blocks.write(HEADER, header.model_dump_json().encode())
        except OSError:
            self.abandon()
            raise

    def takes(self, message: bytes) -> bool:
        """Tell whether the file stays within its size with this message."""
        empty = not self.entries and not self._waiting
        ends = 3 * OVERHEAD_BYTES + 256  # this block's, the next one's, and the last one with its content
        return empty or self._blocks.size_bytes + len(self._waiting) + len(message) + ends <= self._most_bytes

    def add(self, parcel: Parcel, message: bytes) -> None:
        """Add one message; it is in the file when its block is.

        Raises:
            OSError: It cannot be written.
        """
        self._seqs = (self._seqs[0] or parcel.first, parcel.last)
        self._waiting_entries += parcel.last - parcel.first + 1
        self._waiting += message
        if len(self._waiting) >= BLOCK_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        self._blocks.write(MESSAGES, bytes(self._waiting))
        self.first, self.last = self.first or self._seqs[0], self._seqs[1]
        self.entries += self._waiting_entries
        self._waiting.clear()
        self._seqs, self._waiting_entries = (0, 0), 0

    def finish(self, *, final: bool) -> None:
        """Write the end, make all of it durable, and only then give the file its name.

        Raises:
            OSError: It cannot be written.
        """
        self._flush()
        end = End(entries=self.entries, first=self.first, last=self.last, final=final)
        self._blocks.write(END, end.model_dump_json().encode())
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self.path)
        sync_folder(self.path.parent)

    def abandon(self) -> None:
        """Leave what was written as a file that is not whole, if there is anything in it; never fails."""
        with suppress(OSError):
            if self.entries:
                self._file.truncate(self._blocks.size_bytes)  # a full stick has room again for what comes after
                os.fsync(self._file.fileno())
            else:
                self._partial.unlink()
        with suppress(OSError):
            self._file.close()
