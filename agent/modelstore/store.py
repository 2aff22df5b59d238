"""The folder of installed models: each appears whole or not at all, whatever is cut when."""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.detection.model_file import read_model_file
from agent.errors import FatalError
from agent.files import sync_folder, sync_tree
from agent.modelstore.manifest import MANIFEST, Manifest, read_manifest

_FOLDER = "models"
_LOCK = ".lock"
_UNFINISHED = ".unfinished-"
NAME_RULE = "lower-case letters, digits, '-' and '_', at most 63, starting with a letter or digit"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class ModelStore:
    """Models under a data directory, one folder each. Readers need no lock: folders come and go by a rename."""

    def __init__(self, data_dir: Path) -> None:
        """Remember where; nothing is touched."""
        self.folder = data_dir / _FOLDER

    def names(self) -> list[str]:
        """Return the names of installed models, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir())

    def read(self, name: str) -> Manifest:
        """Return what is known of an installed model.

        Raises:
            FatalError: There is none of that name, or its manifest is damaged.
        """
        check_name(name)
        if not (self.folder / name).is_dir():
            known = ", ".join(self.names()) or "none"
            raise FatalError(f"model {name!r} is not installed in {self.folder}; installed: {known}")
        return read_manifest(self.folder / name)

    def verify(self, name: str) -> Manifest:
        """Return what is known of a model whose files are those that were installed.

        Raises:
            FatalError: As ``read``, or a file has changed.
        """
        manifest = self.read(name)
        for variant in manifest.variants:
            path = self.folder / name / variant.file
            if read_model_file(path).sha256 != variant.sha256:
                raise FatalError(f"model {name}: {path} is not what was installed; remove this model and add it again")
        return manifest

    def install(self, name: str, build: Callable[[Path], Manifest]) -> Manifest:
        """Let ``build`` fill a folder, and make it the model of this name once it is safe on disk.

        Args:
            name: A new one.
            build: Gets an empty folder, writes the variants there and returns the manifest.

        Raises:
            FatalError: The name is taken or not allowed, another command is at work, or the disk refuses.
        """
        check_name(name)
        with self._locked():
            if (self.folder / name).exists():
                raise FatalError(f"model {name!r} is installed already; remove it first, or choose another --name")
            draft = self.folder / f"{_UNFINISHED}{name}-{os.getpid()}"  # a child of one that was killed may still write
            draft.mkdir()
            try:
                manifest = build(draft)
                (draft / MANIFEST).write_bytes(manifest.to_json())
                sync_tree(draft)
                draft.rename(self.folder / name)
                sync_folder(self.folder)
            except OSError as error:
                raise FatalError(f"cannot install model {name} in {self.folder}: {error.strerror or error}") from error
            finally:
                shutil.rmtree(draft, ignore_errors=True)  # gone after the rename
        return manifest

    def remove(self, name: str) -> None:
        """Delete an installed model; its name is free as soon as this begins.

        Raises:
            FatalError: There is none of that name, another command is at work, or the disk refuses.
        """
        check_name(name)
        with self._locked():
            if not (self.folder / name).is_dir():
                raise FatalError(f"model {name!r} is not installed in {self.folder}")
            doomed = self.folder / f"{_UNFINISHED}{name}-{os.getpid()}"
            try:
                (self.folder / name).rename(doomed)
                sync_folder(self.folder)
                shutil.rmtree(doomed)
            except OSError as error:
                raise FatalError(f"cannot remove model {name}: {error.strerror or error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the store alone, and clear away what a cut left behind."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / _LOCK).open("ab")
        except OSError as error:
            raise FatalError(f"cannot write to {self.folder}: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FatalError(f"another `hedgerow models` command is at work in {self.folder}") from None
            for left in self.folder.glob(f"{_UNFINISHED}*"):
                with suppress(OSError):
                    shutil.rmtree(left)
            yield


def check_name(name: str) -> None:
    """Refuse a name that is no plain folder name.

    Raises:
        FatalError: It is not.
    """
    if not _NAME.fullmatch(name):
        raise FatalError(f"model name {name!r} is not allowed; allowed: {NAME_RULE}")
