"""What the agent does for those who carry its data."""

from pathlib import Path

from structlog.testing import capture_logs

from agent.stick import keep_birth, public_key
from tests.faults.ends import birth_message


def test_key_is_the_same_at_each_start(tmp_path: Path):
    """The key that a box tells is made at the first start, and kept."""
    assert public_key(tmp_path) == public_key(tmp_path) is not None


def test_key_file_that_is_damaged(tmp_path: Path):
    """A key file that cannot be read costs the bundles, in one line, and not the agent; nothing is replaced."""
    (tmp_path / "bundle.key").write_bytes(b"\0" * 119)
    with capture_logs() as lines:
        assert public_key(tmp_path) is None
    assert [line["event"] for line in lines] == ["no_bundles"]
    assert (tmp_path / "bundle.key").read_bytes() == b"\0" * 119


def test_birth_that_cannot_be_kept(tmp_path: Path):
    """A disk that takes no file costs the note, in one line, and not the agent."""
    with capture_logs() as lines:
        keep_birth(tmp_path / "no", birth_message("0" * 32))
    assert [line["event"] for line in lines] == ["birth_not_kept"]
    keep_birth(tmp_path, birth_message("0" * 32))
    assert [path.name for path in tmp_path.iterdir()] == ["birth.json"]
