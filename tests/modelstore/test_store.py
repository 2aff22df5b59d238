"""The folder of models: whole or not at all, and never another than was installed."""

import os
import signal
import subprocess
import sys

import pytest

from agent.errors import FatalError
from agent.modelstore import Manifest, ModelStore, Variant
from agent.modelstore.manifest import MANIFEST, Agreement


def manifest(name: str = "apples", **more) -> Manifest:
    variant = Variant("float.onnx", "9" * 64, 640, 640, "f32")
    base = {"sha256": "0" * 64, "origin": "here", "licence": "MIT", "classes": ("apple",), "added_utc_ms": 1}
    return Manifest(name=name, variants=(variant,), **{**base, **more})


def build(folder) -> Manifest:
    (folder / "float.onnx").write_bytes(b"model")
    return manifest()


def test_what_is_installed_is_read_back(store):
    """Manifest and files come back as they were given, and nothing else lies there."""
    agreement = Agreement(5, 10, 11, 9, 0.98)
    store.install("apples", lambda folder: (build(folder), manifest(int8=agreement))[1])
    assert store.names() == ["apples"]
    assert store.read("apples") == manifest(int8=agreement)
    assert agreement.share == pytest.approx(18 / 21)
    assert sorted(path.name for path in (store.folder / "apples").iterdir()) == ["float.onnx", MANIFEST]


def test_an_install_that_fails_leaves_nothing(store):
    """When building raises, or is interrupted, neither the model nor a draft is there afterwards."""
    for error in (FatalError("no"), OSError(28, "No space left on device"), KeyboardInterrupt()):

        def fail(folder, error=error):
            (folder / "half").write_bytes(b"half")
            raise error

        with pytest.raises((FatalError, KeyboardInterrupt)):
            store.install("apples", fail)
        assert store.names() == []
        assert [path.name for path in store.folder.iterdir()] == [".lock"]


def test_a_kill_while_installing_leaves_the_store_sound(store, tmp_path):
    """After kill -9 in the middle no model is listed, and the next install clears up and succeeds."""
    code = f"""
import time
from pathlib import Path
from agent.modelstore import ModelStore
def build(folder):
    (folder / "half").write_bytes(b"half")
    print("building", flush=True)
    time.sleep(60)
ModelStore(Path({str(tmp_path / "data")!r})).install("pears", build)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    with pytest.raises(FatalError, match="another `hedgerow models` command is at work"):
        store.install("apples", build)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert store.names() == []
    store.install("apples", build)
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", "apples"]


def test_a_kill_while_removing_frees_the_name(store):
    """What was half deleted is gone for readers, and the name can be used again."""
    store.install("apples", build)
    (store.folder / "apples").rename(store.folder / ".unfinished-apples")  # where a cut would leave it
    assert store.names() == []
    store.install("apples", build)
    assert store.names() == ["apples"]
    assert not (store.folder / ".unfinished-apples").exists()


def test_names_are_taken_once(store):
    """A name that is in use is refused; after a removal it is free."""
    store.install("apples", build)
    with pytest.raises(FatalError, match="'apples' is installed already"):
        store.install("apples", build)
    store.remove("apples")
    store.install("apples", build)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "Apples", "a" * 64, "a b", "a\n"])
def test_names_that_are_no_plain_folder_are_refused(store, name):
    """No name leaves the store's folder, for any verb."""
    for verb in (store.read, store.remove, lambda name: store.install(name, build)):
        with pytest.raises(FatalError, match="is not allowed"):
            verb(name)


def test_an_unknown_name_lists_the_known(store):
    """Asking for a model that is not there tells which are."""
    with pytest.raises(FatalError, match="installed: none"):
        store.read("apples")
    store.install("apples", build)
    with pytest.raises(FatalError, match="installed: apples"):
        store.read("pears")
    with pytest.raises(FatalError, match="'pears' is not installed"):
        store.remove("pears")


def test_a_changed_file_is_noticed(store):
    """A model whose bytes are not those that were installed is refused."""
    store.install("apples", build)
    with pytest.raises(FatalError, match=r"float\.onnx is not what was installed"):
        store.verify("apples")  # the manifest of this test names another hash


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1}', "\x00"])
def test_a_damaged_manifest_is_named(store, text):
    """A manifest that is not what was written is one line, and other models are not concerned."""
    store.install("apples", build)
    store.install("pears", lambda folder: (build(folder), manifest("pears"))[1])
    (store.folder / "apples" / MANIFEST).write_text(text)
    with pytest.raises(FatalError, match=r"model\.json is damaged") as caught:
        store.read("apples")
    assert "\n" not in str(caught.value)
    assert store.read("pears").name == "pears"


def test_a_disk_that_refuses_is_one_line(tmp_path):
    """Where the folder cannot be made, the system's reason is given."""
    (tmp_path / "data").write_bytes(b"a file")
    with pytest.raises(FatalError, match="cannot write to"):
        ModelStore(tmp_path / "data").install("apples", build)
