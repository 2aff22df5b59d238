"""A disk so small that a test can fill it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class SmallDisk:
    """A file system of its own, mounted while the test runs."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=755", "tmpfs", folder], check=True)

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


@pytest.fixture
def small_disk(tmp_path: Path, require: Callable[[str], str]) -> Iterator[Callable[[int], SmallDisk]]:
    """Mount one; only root may."""
    require("mount")
    if os.getuid() != 0:
        pytest.skip("only root may mount a small disk")
    made: list[SmallDisk] = []

    def make(size_bytes: int) -> SmallDisk:
        made.append(SmallDisk(tmp_path / f"disk-{len(made)}", size_bytes))
        return made[-1]

    yield make
    for disk in made:
        disk.close()
