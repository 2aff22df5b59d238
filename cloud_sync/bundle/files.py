"""Files that outlive a power cut, on sticks that may be pulled."""

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Protocol


class RawFile(Protocol):
    """Something that writes a part of what it is given, and says how much."""

    def write(self, content: memoryview, /) -> int | None:
        """Write some of it."""
        ...


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(file: RawFile, content: bytes) -> None:
    """Write all of it: a full stick takes a part first, and says so at the next try."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) or 0 :]


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place of an older one; at each moment there is one or the other, whole."""
    unfinished = path.with_name(f".{path.name}.new")
    try:
        with FileIO(unfinished, "w") as file:
            write_all(file, content)
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    sync_folder(path.parent)
