"""What the agent does for those who carry its data."""

from pathlib import Path

from agent.stick import keep_birth, public_key
from tests.faults.ends import birth_message


def test_key_is_the_same_at_each_start(tmp_path: Path):
    """The key that a box tells is made at the first start, and kept."""
    assert public_key(tmp_path) == public_key(tmp_path) is not None


def test_key_file_that_is_damaged(tmp_path: Path, capsys):
    """A key file that cannot be read costs the bundles, in one line, and not the agent; nothing is replaced."""
    (tmp_path / "bundle.key").write_bytes(b"\0" * 119)
    assert public_key(tmp_path) is None
    assert capsys.readouterr().out.count("no_bundles") == 1
    assert (tmp_path / "bundle.key").read_bytes() == b"\0" * 119


def test_birth_that_cannot_be_kept(tmp_path: Path, capsys):
    """A disk that takes no file costs the note, in one line, and not the agent."""
    keep_birth(tmp_path / "no", birth_message("0" * 32))
    assert capsys.readouterr().out.count("birth_not_kept") == 1
    keep_birth(tmp_path, birth_message("0" * 32))
    assert [path.name for path in tmp_path.iterdir()] == ["birth.json"]
