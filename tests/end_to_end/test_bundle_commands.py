"""What the bundle and gaps commands say when something is wrong: one clear line each."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import structlog

from agent.cli import main
from agent.clock import SystemClock
from agent.stick import keep_birth, public_key
from agent.store import open_store
from cloud_sync.ingest import open_database
from cloud_sync.outbox import append_event
from tests.end_to_end import programs
from tests.end_to_end.test_stick import configuration
from tests.faults.ends import birth_message
from tests.ingest.forbidding import FORBIDDEN, forbid


@pytest.fixture
def hedgerow(capsys: pytest.CaptureFixture[str]):
    """Run a command in this process: there are many, and each start of Python costs a second."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, out, err)

    yield run
    structlog.reset_defaults()  # commands set up logging for their process


def assert_one_clear_line(result, *words: str) -> None:
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 1, result.stderr
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("hedgerow: ")
    assert all(word in lines[0] for word in words), lines[0]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory of an agent that ran once, and has something to send."""
    data = tmp_path / "data"
    with open_store(data, SystemClock().now()) as store, store.write.begin() as connection:
        for number in range(3):
            fields = {"kind": "k", "camera": None, "at_ms": number, "data": {}}
            append_event(connection, fields, boot=1, created_utc_ns=0)
    public_key(data)
    keep_birth(data, birth_message("0" * 32))
    return data


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configuration(tmp_path, "sim:orchard")


@pytest.fixture
def as_anybody(require) -> list[str]:
    """What to put before a command: root may read and write anywhere, so it gives that privilege up."""
    return [require("setpriv"), "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []


def test_export_where_no_agent_ran(tmp_path: Path, config: Path, hedgerow):
    """Before the first start there is nothing to export, and no key to sign with."""
    command = ("bundle", "export", "--config", config, tmp_path)
    assert_one_clear_line(hedgerow(*command), "no box has stored anything")
    with open_store(tmp_path / "data", SystemClock().now()):
        pass
    assert_one_clear_line(hedgerow(*command), "cannot read key file", "bundle.key")
    public_key(tmp_path / "data")
    assert_one_clear_line(hedgerow(*command), "birth.json; start the agent once")


def test_sticks_that_cannot_be_written(tmp_path: Path, data: Path, config: Path, as_anybody: list[str], hedgerow):
    """A stick that is read-only, absent or a file is one clear line."""
    command = ("bundle", "export", "--config", config)
    stick = tmp_path / "stick"
    assert_one_clear_line(hedgerow(*command, stick), "is no folder; give the folder where the stick is mounted")
    stick.mkdir(mode=0o555)
    result = programs.hedgerow(*command, stick, prefix=as_anybody)
    assert_one_clear_line(result, f"cannot write to {stick}: Permission denied")
    assert_one_clear_line(hedgerow(*command, data / "hedgerow.db"), "is no folder")


def test_there_and_back_in_words(tmp_path: Path, data: Path, config: Path, hedgerow):
    """Each step says in a line what it did; the box that pinned no key of the cloud forgets nothing."""
    stick, url = tmp_path / "stick", f"sqlite:///{tmp_path / 'cloud.db'}"
    stick.mkdir()
    assert "3 entries" in hedgerow("bundle", "export", "--config", config, stick).stdout
    command = ("bundle", "import", "--database", url, stick, "--trust-first-use")
    assert_one_clear_line(hedgerow(*command, "--answer-with", tmp_path / "no.key"), "cannot read key file")
    public = hedgerow("bundle", "key", tmp_path / "cloud.key").stdout.strip()
    again = hedgerow("bundle", "key", tmp_path / "cloud.key", "--json")
    assert json.loads(again.stdout) == {"public": public, "made": False}
    result = hedgerow(*command, "--answer-with", tmp_path / "cloud.key")
    assert "farm/box-1, 3 entries, 3 of them new\nanswer for the box: " in result.stdout
    assert_one_clear_line(hedgerow("bundle", "acks", "--config", config, stick), "bundle.cloud_key is not set")
    configuration(tmp_path, "sim:orchard", cloud_key="f" * 63)
    assert_one_clear_line(hedgerow("bundle", "acks", "--config", config, stick), "bundle.cloud_key", "64 hexadecimal")
    configuration(tmp_path, "sim:orchard", cloud_key="f" * 64)
    assert_one_clear_line(hedgerow("bundle", "acks", "--config", config, stick), "not signed with the key ffff")
    configuration(tmp_path, "sim:orchard", cloud_key=public)
    assert "3 entries left the outbox, 0 wait" in hedgerow("bundle", "acks", "--config", config, stick).stdout
    assert "nothing waits in the outbox" in hedgerow("bundle", "export", "--config", config, stick).stdout


def test_what_the_cloud_refuses_in_words(tmp_path: Path, data: Path, config: Path, hedgerow):
    """The import names what the database refuses, and succeeds; by its answer the box lays that aside."""
    with open_store(data, SystemClock().now()) as store, store.write.begin() as connection:
        fields = {"kind": FORBIDDEN, "camera": None, "at_ms": 3, "data": {}}
        append_event(connection, fields, boot=1, created_utc_ns=0)
    stick, url = tmp_path / "stick", f"sqlite:///{tmp_path / 'cloud.db'}"
    stick.mkdir()
    cloud = open_database(url)
    forbid(cloud)
    cloud.dispose()
    public = hedgerow("bundle", "key", tmp_path / "cloud.key").stdout.strip()
    configuration(tmp_path, "sim:orchard", cloud_key=public)
    hedgerow("bundle", "export", "--config", config, stick)
    command = (
        "bundle",
        "import",
        "--database",
        url,
        stick,
        "--trust-first-use",
        "--answer-with",
        tmp_path / "cloud.key",
    )
    result = hedgerow(*command)
    assert result.returncode == 0
    assert "farm/box-1, 3 entries, 3 of them new, 1 messages in quarantine" in result.stdout
    assert ": seq 4: the database refuses it: rule no_event" in result.stderr
    [part] = json.loads(hedgerow(*command, "--json").stdout)["parts"]
    assert part["refused"] == [{"first": 4, "last": 4, "reason": "the database refuses it: rule no_event"}]
    told = hedgerow("bundle", "acks", "--config", config, stick).stdout
    assert "3 entries left the outbox, 1 wait, 1 that the cloud refuses were laid aside" in told


def test_files_that_are_no_bundle(tmp_path: Path, hedgerow):
    """What is no bundle, and keys that are none, are one clear line; the exit code tells."""
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    wrong = tmp_path / "photo.hedgerow"
    wrong.write_bytes(b"\xff\xd8\xff")
    command = ("bundle", "import", "--database", url)
    assert_one_clear_line(hedgerow(*command, wrong), f"{wrong} is no hedgerow bundle; nothing is stored")
    assert_one_clear_line(hedgerow(*command, tmp_path / "no"), "no is no file; nothing is stored")
    assert_one_clear_line(hedgerow(*command, wrong, "--key", "abc"), "cannot read key file abc")
    assert_one_clear_line(hedgerow(*command, wrong, "--key", wrong), "no public key")


def test_gaps_of_databases_that_are_none(tmp_path: Path, data: Path, hedgerow):
    """An absent database, a box's own, and one without boxes are told; nothing is made by looking."""
    absent = tmp_path / "no.db"
    assert_one_clear_line(hedgerow("gaps", "--database", f"sqlite:///{absent}"), f"there is no database {absent}")
    assert not absent.exists()
    result = hedgerow("gaps", "--database", f"sqlite:///{data / 'hedgerow.db'}")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    open_database(url).dispose()
    assert hedgerow("gaps", "--database", url).stdout == "no box has sent anything, or none of that name\n"
    assert_one_clear_line(hedgerow("gaps", "--database", url, "--since", "1h", "--until", "2h"), "is not before")
    assert_one_clear_line(hedgerow("gaps", "--database", url, "--since", "1970-01-01"), "more than ten years")
    result = hedgerow("gaps", "--database", url, "--since", "yesterday")
    assert "allowed: 2026-05-01, 2026-05-01T06:00, 7d or 36h" in result.stderr
