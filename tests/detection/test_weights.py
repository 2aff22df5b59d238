"""Weights that only ultralytics loads."""

import subprocess
import sys
import zipfile

import pytest

from agent.detection import open_detector
from agent.detection.model_file import read_model_file
from agent.errors import FatalError


@pytest.fixture(autouse=True)
def ultralytics(require_module) -> None:
    for module in ("ultralytics", "torch"):
        require_module(module)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"PK\x03\x04 half a zip", b"\x80\x04}."])
def test_what_is_no_weights_is_refused_in_one_line(tmp_path, content):
    """An empty file, a text, half a file and another pickle are refused with their name."""
    path = tmp_path / "broken.pt"
    path.write_bytes(content)
    with pytest.raises(
        FatalError, match=r"broken\.pt is not an ultralytics model that ultralytics can run: "
    ) as caught:
        open_detector(path)
    assert "\n" not in str(caught.value)


def test_absent_ultralytics_names_the_extra(tmp_path):
    """Without the extra a .pt file is refused with what to do, whichever way the backend is chosen."""
    path = tmp_path / "weights.pt"
    path.write_bytes(b"weights")
    code = f"""
import sys
import zipfile
sys.modules["ultralytics"] = None
from pathlib import Path
from agent.detection import choice, open_detector
from agent.errors import FatalError
choice.importlib.util.find_spec = lambda name: None
for backend in ("auto", "ultralytics"):
    try:
        open_detector(Path({str(path)!r}), backend=backend, memory=Path({str(tmp_path)!r}))
    except FatalError as error:
        assert "pip install 'hedgerow[ultralytics]'" in str(error), error
    else:
        raise AssertionError
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0, process.stderr


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path):
    """Weights are packed without compression; a small archive that unpacks to gigabytes is not opened."""
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb/data/0", "w") as entry:
        for _ in range(8):
            entry.write(bytes(16_000_000))
    with pytest.raises(FatalError, match=r"bomb.pt unpacks from 0 to 128 MB, as no weights do"):
        read_model_file(path)
