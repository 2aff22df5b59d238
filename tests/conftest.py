"""Fixtures for all tests: real data and real components, or a clear word that they are absent."""

import importlib.util
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("hedgerow", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("hedgerow")

ROOT = Path(__file__).resolve().parent.parent
"""The repository."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real orchard photographs and a video with its truth, which is kept beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real orchard data is absent: no ../shared/data beside the repository")
    return folder


@pytest.fixture(scope="session")
def bundled_model() -> Path:
    """The model that ships with the project."""
    return ROOT / "models" / "orchard-yolo26n.onnx"


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """Give the path of a program that a test needs; skip where it is absent, fail where all must be present."""

    def find(program: str) -> str:
        path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if path:
            return path
        message = f"{program} is not installed"
        if os.environ.get("HEDGEROW_REQUIRE_COMPONENTS") == "1":
            pytest.fail(f"{message}, and HEDGEROW_REQUIRE_COMPONENTS=1 asks for it")
        pytest.skip(message)

    return find


@pytest.fixture(scope="session")
def require_module() -> Callable[[str], None]:
    """Skip a test where a Python package that it needs is absent; fail where all must be present.

    The package is only looked for, not imported: ultralytics takes a second and brings torch into the process.
    """

    def find(module: str) -> None:
        if importlib.util.find_spec(module) is not None:
            return
        message = f"the Python package {module} is not installed"
        if os.environ.get("HEDGEROW_REQUIRE_COMPONENTS") == "1":
            pytest.fail(f"{message}, and HEDGEROW_REQUIRE_COMPONENTS=1 asks for it")
        pytest.skip(message)

    return find


@pytest.fixture
def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
