"""A disk so small that a test can fill it."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.faults.privilege import require_root


class SmallDisk:
    """A file system of its own, mounted while the test runs."""

    def __init__(self, size_bytes: int) -> None:
        self.folder = Path(mkdtemp(prefix="hedgerow-disk-"))  # pytest's folders are closed to a server's own user
        self._filler = self.folder / "filler"
        options = f"size={size_bytes},mode=777"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder], check=True)

    def fill(self) -> None:
        """Take all room that is left."""
        with self._filler.open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def relieve(self) -> None:
        """Give it back."""
        self._filler.unlink()

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)
        self.folder.rmdir()


@pytest.fixture
def small_disk(require: Callable[[str], str]) -> Iterator[Callable[[int], SmallDisk]]:
    """Mount one; only root may."""
    require("mount")
    require_root("a small disk is mounted")
    made: list[SmallDisk] = []

    def make(size_bytes: int) -> SmallDisk:
        made.append(SmallDisk(size_bytes))
        return made[-1]

    yield make
    for disk in made:
        disk.close()
