"""Fixtures for all tests: real data and real components, or a clear word that they are absent."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cloud_sync.ingest import open_database
from tests.postgres import Postgres, find_programs
from tests.waiting import free_ports

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
def bundled_weights() -> Path:
    """The weights that the model was exported from."""
    return ROOT / "models" / "orchard-yolo26n.pt"


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
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole run. A test that stops it makes one of its own."""
    server = Postgres(_require_postgres())
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def postgres_cloud(postgres_server: Postgres) -> str:
    """The name of a PostgreSQL database with the cloud's schema and nothing in it, to be copied."""
    url = postgres_server.create_database()
    open_database(url).dispose()
    return url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def cloud_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty cloud database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'cloud.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    url = server.create_database(template=request.getfixturevalue("postgres_cloud"))
    yield url
    server.drop_database(url)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that a test may stop and kill."""
    server = Postgres(_require_postgres())
    server.start()
    yield server
    server.remove()


def _require_postgres() -> Path:
    programs = find_programs()
    if programs is not None:
        return programs
    if os.environ.get("HEDGEROW_REQUIRE_COMPONENTS") == "1":
        pytest.fail("PostgreSQL is not installed, and HEDGEROW_REQUIRE_COMPONENTS=1 asks for it")
    pytest.skip("PostgreSQL is not installed")
