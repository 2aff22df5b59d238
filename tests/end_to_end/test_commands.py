"""What goes wrong gives one clear line and no traceback; what goes right gives exit code 0 and JSON for scripts."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from agent import __version__
from agent.clock import SystemClock
from agent.store import open_store
from cloud_sync.ingest import open_database
from tests.end_to_end.programs import HEDGEROW, ROOT, hedgerow, rollups_on_the_box
from tests.waiting import eventually


def configuration(folder: Path, *, cameras: dict[str, str], more: str = "", port: int = 0) -> Path:
    path = folder / "hedgerow.toml"
    lines = ['[box]\nsite = "farm"\ndevice = "box-1"\n', f'[storage]\ndata_dir = "{folder}/data"\nrollup_s = 1\n']
    lines += [f'[[cameras]]\nname = "{name}"\nsource = "{source}"\n' for name, source in cameras.items()]
    path.write_text("".join([*lines, f"[page]\nport = {port}\n", more]), encoding="utf-8")
    return path


def assert_one_clear_line(result, pattern: str) -> None:
    lines = result.stderr.strip().splitlines()
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert len(lines) == 1, result.stderr
    assert pattern in lines[0]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), noise)
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for level in range(30):
            image = np.full((240, 320, 3), level * 8, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def test_version_and_help():
    """A newcomer finds the version, the commands and where to start."""
    assert hedgerow("--version").stdout.strip() == f"hedgerow {__version__}"
    text = hedgerow("--help").stdout
    assert all(
        word in text
        for word in ("run", "demo", "check", "detect", "replay", "ingest", "tap", "gaps", "bundle", "status")
    )
    assert "Start with `hedgerow demo`" in text


def test_check_says_good(tmp_path: Path):
    """A good configuration is called good, and is printed as the agent understands it."""
    path = configuration(tmp_path, cameras={"north": "sim:orchard"})
    assert "farm/box-1, cameras: north" in hedgerow("check", path).stdout
    assert json.loads(hedgerow("check", path, "--json").stdout)["cameras"][0]["fps"] == 5.0


def test_check_shows_no_password(tmp_path: Path):
    """What is printed of a configuration may be pasted into a ticket."""
    path = configuration(tmp_path, cameras={"north": "rtsp://user:hunter2@192.0.2.1/x"})
    source = json.loads(hedgerow("check", path, "--json").stdout)["cameras"][0]["source"]
    assert source == "rtsp://user:***@192.0.2.1/x"


def test_check_names_all_files_that_cannot_be_used(tmp_path: Path):
    """Files that a configuration points to are looked at before the agent starts; each that is wrong has its line."""
    (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")
    more = (
        'password_file = "page-password"\n'
        '[model]\npath = "no.onnx"\n'
        '[places]\ngeojson = "no.geojson"\n'
        '[sync]\nbroker = "mqtts://broker.invalid"\nusername = "box"\npassword_file = "password"\nca_file = "ca.pem"\n'
    )
    result = hedgerow("check", configuration(tmp_path, cameras={"north": "sim:orchard?sed=1"}, more=more))
    assert result.returncode == 1
    lines = result.stderr.strip().splitlines()
    wanted = [
        "camera north: .*sed",
        "model.path: .*no.onnx",
        "places.geojson: .*no.geojson",
        "sync.password_file: ",
        "sync: ca_file",
        "page.password_file",
    ]
    assert len(lines) == len(wanted), result.stderr
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.search(pattern, line)


def test_check_names_classes_that_the_model_does_not_know(tmp_path: Path):
    """Each zone, line and measure with a misspelt class has its line, with what was meant and what is known."""
    more = (
        '[[cameras]]\nname = "south"\nsource = "sim:orchard"\n'
        '[[cameras.zones]]\nname = "yard"\npolygon = [[0, 0], [1, 0], [1, 1]]\nclasses = ["aple", "pear", "lorry"]\n'
        '[[cameras.zones]]\nname = "all"\npolygon = [[0, 0], [1, 0], [1, 1]]\nclasses = ["apple"]\n'
        '[[cameras.lines]]\nname = "gate"\npoints = [[0, 0], [1, 1]]\nclasses = ["Pear"]\n'
        "[[cameras.farm.ripeness]]\n"
        'class = "chery"\nripe_lab = [40, 50, 30]\nunripe_lab = [60, -20, 40]\n'
    )
    result = hedgerow("check", configuration(tmp_path, cameras={"north": "sim:orchard"}, more=more))
    assert result.returncode == 1
    zone, line, ripeness = result.stderr.strip().splitlines()
    known = "; the model knows apple, cherry, pear"
    assert zone.endswith(f"camera south: zone yard: classes: found 'aple' (did you mean 'apple'?), 'lorry'{known}")
    assert line.endswith(f"camera south: line gate: classes: found 'Pear' (did you mean 'pear'?){known}")
    assert ripeness.endswith(
        "camera south: farm.ripeness.0.class: found 'chery' (did you mean 'cherry'?); allowed: apple, cherry, pear"
    )


def test_check_names_a_model_that_is_none(tmp_path: Path):
    """A file that is no model is told before the agent starts."""
    (tmp_path / "model.onnx").write_text("hello", encoding="utf-8")
    path = configuration(tmp_path, cameras={"north": "sim:orchard"}, more='[model]\npath = "model.onnx"\n')
    assert_one_clear_line(hedgerow("check", path), "model.path: ")


def test_unreadable_configuration(tmp_path: Path):
    """A configuration that is absent, broken or wrong is one clear line."""
    assert_one_clear_line(hedgerow("run", "--config", tmp_path / "no.toml"), "cannot read configuration")
    (tmp_path / "bad.toml").write_text("[box", encoding="utf-8")
    assert_one_clear_line(hedgerow("run", "--config", tmp_path / "bad.toml"), "is not valid TOML")
    path = configuration(tmp_path, cameras={"north": "sim:orchard?sed=1"})
    assert_one_clear_line(hedgerow("check", path), "sed")


def test_missing_model(tmp_path: Path, pictures: Path, video: Path):
    """A model that is not there is one clear line, in each command that wants one."""
    path = configuration(tmp_path, cameras={"north": "sim:orchard"}, more='[model]\npath = "no.onnx"\n')
    for arguments in (
        ("run", "--config", path),
        ("detect", pictures, "--model", "no.onnx", "--out", tmp_path / "out.json"),
        ("replay", video, "--model", "no.onnx"),
    ):
        assert_one_clear_line(hedgerow(*arguments), "no.onnx")


def test_port_in_use(tmp_path: Path, free_port: int):
    """A page's port that is taken stops the demo with one clear line that says what to change."""
    with socket.create_server(("127.0.0.1", free_port)):
        result = hedgerow("demo", "--port", str(free_port), "--data", tmp_path / "data")
    assert_one_clear_line(result, f"{free_port}")
    assert "--port" in result.stderr


def test_port_in_use_does_not_stop_counting(tmp_path: Path, free_port: int, start):
    """A box counts on without its page: one line says why, and the page comes when the port is free."""
    path = configuration(tmp_path, cameras={"north": "sim:orchard"}, port=free_port)
    with socket.create_server(("127.0.0.1", free_port)):
        agent = start("run", "--config", path)
        agent.wait_for_word(f"thread_died .*{free_port}")
        eventually(lambda: len(rollups_on_the_box(tmp_path / "data" / "hedgerow.db")) > 3, 30, agent.said)
    assert agent.end() == 0
    assert "Traceback" not in agent.said()


@pytest.fixture
def as_anybody(require) -> list[str]:
    """What to put before a command: root may read and write anywhere, so it gives that privilege up."""
    return [require("setpriv"), "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []


def test_directory_without_write_permission(tmp_path: Path, as_anybody: list[str]):
    """A data directory that may not be written to is one clear line."""
    (tmp_path / "data").mkdir(mode=0o555)
    path = configuration(tmp_path, cameras={"north": "sim:orchard"})
    assert_one_clear_line(hedgerow("run", "--config", path, prefix=as_anybody), "cannot write to data directory")


def test_paths_behind_a_closed_folder(tmp_path: Path, as_anybody: list[str]):
    """What may not even be looked at is one clear line in each command, and a camera's source may be there."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    for arguments in (
        ("status", "--data", closed),
        ("replay", closed / "video.mp4"),
        ("demo", "--source", closed / "video.mp4", "--data", tmp_path / "data"),
    ):
        assert_one_clear_line(hedgerow(*arguments, prefix=as_anybody), "ermission denied")
    path = configuration(tmp_path, cameras={"north": str(closed / "video.mp4")})
    result = hedgerow("check", path, prefix=as_anybody)
    assert result.returncode == 0, result.stderr


def test_corrupt_video(tmp_path: Path):
    """A file that is no video is one clear line when replayed."""
    path = tmp_path / "corrupt.mp4"
    path.write_bytes(os.urandom(100_000))
    assert_one_clear_line(hedgerow("replay", path), "corrupt.mp4")


def test_a_bad_camera_never_stops_a_good_one(tmp_path: Path, video: Path, free_port: int, start):
    """Beside a refused address, a corrupt file and an absent device the good camera counts; each is one line."""
    corrupt = tmp_path / "corrupt.mp4"
    corrupt.write_bytes(video.read_bytes()[:200] + os.urandom(50_000))
    cameras = {
        "good": "sim:orchard",
        "refused": f"rtsp://user:hunter2@127.0.0.1:{free_port}/stream",
        "corrupt": str(corrupt),
        "absent": "/dev/video99",
    }
    agent = start("run", "--config", configuration(tmp_path, cameras=cameras))
    database = tmp_path / "data" / "hedgerow.db"
    eventually(
        lambda: database.exists() and sum(row[7] for row in rollups_on_the_box(database) if row[0] == "good") > 10,
        30,
        agent.said,
    )
    eventually(lambda: all(f"camera={name} " in agent.said() for name in cameras), 15, agent.said)
    assert agent.end() == 0
    said = agent.said()
    assert "Traceback" not in said
    assert "hunter2" not in said
    for name in ("refused", "corrupt", "absent"):
        assert 1 <= sum(f"camera={name} " in line for line in said.splitlines()) <= 4, said
    blind = [row for row in rollups_on_the_box(database) if row[0] == "refused"]
    assert blind
    assert all((row[6], row[7]) == (0, 0) for row in blind), "a blind camera has rows that say so"


def test_detect_writes_coco_results(tmp_path: Path, pictures: Path):
    """Images in, COCO results out; an image that cannot be read is named, and the exit code says it."""
    out = tmp_path / "results.json"
    result = hedgerow("detect", pictures, "--out", out)
    assert result.returncode == 0, result.stderr
    for found in json.loads(out.read_text(encoding="utf-8")):
        assert {"file_name", "bbox", "score", "category_id", "image_id"} <= found.keys()
    (pictures / "broken.jpg").write_bytes(b"no image")
    result = hedgerow("detect", pictures, "--out", out)
    assert (result.returncode, "broken.jpg" in result.stderr) == (1, True)


def test_replay_asks_the_questions_of_a_camera(tmp_path: Path, video: Path):
    """Of a configuration with two cameras one must be named; what it does not have is one clear line."""
    path = configuration(tmp_path, cameras={"north": "sim:orchard", "south": "sim:orchard"})
    assert_one_clear_line(hedgerow("replay", video, "--config", path), "north, south")
    assert_one_clear_line(hedgerow("replay", video, "--config", path, "--camera", "west"), "north, south")
    assert_one_clear_line(hedgerow("replay", video, "--camera", "north"), "--config")
    assert hedgerow("replay", video, "--config", path, "--camera", "south").returncode == 0


def test_replay_tells_frames_and_seconds(video: Path):
    """Replay reports the whole file as JSON, and nothing else on standard output."""
    result = hedgerow("replay", video, "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["frames"] == 30
    assert told["seconds"] == pytest.approx(3.0, abs=0.2)
    assert set(told["unique"]) <= {"apple", "cherry", "pear"}


def test_status_of_a_box(tmp_path: Path, start):
    """The status is the same files read with and without a running agent; where there is no box it says so."""
    assert_one_clear_line(hedgerow("status", "--data", tmp_path / "no"), "no box has stored anything")
    path = configuration(tmp_path, cameras={"north": "sim:orchard"})
    agent = start("run", "--config", path)
    agent.wait_for_word("camera=north .*state=live")
    time.sleep(5)
    running = json.loads(hedgerow("status", "--data", tmp_path / "data", "--json").stdout)
    assert agent.end() == 0
    stopped = json.loads(hedgerow("status", "--data", tmp_path / "data", "--json").stdout)
    assert (running["running"], stopped["running"]) == (True, False)
    assert stopped["cameras"][0]["state"] == "live"
    whole = next(row for row in stopped["last_hour"] if row["class"] == "*")
    assert whole["frames"] > 10
    assert 0 < whole["observed_s"] < 30
    assert whole["frames"] / whole["observed_s"] < 5.5
    assert "all classes" in hedgerow("status", "--data", tmp_path / "data").stdout


def test_database_of_the_other_end(tmp_path: Path):
    """The box's database is refused as the cloud's and the other way round, in one line, before anything is ready."""
    (tmp_path / "data").mkdir()
    database = tmp_path / "data" / "hedgerow.db"
    open_database(f"sqlite:///{database}").dispose()
    path = configuration(tmp_path, cameras={"north": "sim:orchard"})
    assert_one_clear_line(hedgerow("run", "--config", path), "hedgerow.db is the cloud's database")
    assert_one_clear_line(hedgerow("status", "--data", tmp_path / "data"), "cannot read")
    database.unlink()
    open_store(tmp_path / "data", SystemClock().now()).close()
    result = hedgerow("ingest", "--broker", "mqtt://127.0.0.1:1", "--database", f"sqlite:///{database}")
    assert_one_clear_line(result, "hedgerow.db is the database of a box")


def test_second_agent_on_the_same_data(tmp_path: Path, start):
    """Two agents on one data directory: the second is refused, the first notices nothing."""
    path = configuration(tmp_path, cameras={"north": "sim:orchard"})
    agent = start("run", "--config", path)
    agent.wait_for_word("camera=north .*state=live")
    assert_one_clear_line(hedgerow("run", "--config", path), "in use by another agent")
    assert agent.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_ends_cleanly_within_five_seconds(tmp_path: Path, start, number: int):
    """Ctrl-C or SIGTERM ends everything within 5 s with exit code 0 and leaves no process behind; data stays."""
    demo = start("demo", "--port", "0", "--data", tmp_path / "data")
    demo.wait_for_word(r"Open http://127\.0\.0\.1:\d+/")
    demo.wait_for_word("state=live")
    begun = time.monotonic()
    assert demo.end(number) == 0
    assert time.monotonic() - begun < 5
    assert "Traceback" not in demo.said()
    pgrep = shutil.which("pgrep")
    if pgrep:
        left = subprocess.run([pgrep, "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
        assert left.split() == []
    assert (tmp_path / "data" / "box" / "hedgerow.db").exists()


def test_broker_that_cannot_be_reached(tmp_path: Path, free_port: int):
    """Tap says that there is no broker; a database that ingest does not know is refused by name."""
    assert_one_clear_line(hedgerow("tap", "--broker", f"mqtt://127.0.0.1:{free_port}"), f"127.0.0.1:{free_port}")
    assert_one_clear_line(
        hedgerow("ingest", "--broker", "mqtt://127.0.0.1:1", "--database", "mysql://user:hunter2@db/x"),
        "sqlite:///PATH",
    )
    assert_one_clear_line(hedgerow("tap", "--broker", "http://x"), "expected mqtt://HOST")


def test_source_that_is_not_there(tmp_path: Path):
    """The demo of a video that does not exist says so at once."""
    assert_one_clear_line(hedgerow("demo", "--source", "no-such.mp4", "--data", tmp_path / "d"), "no-such.mp4")


def test_two_ingest_workers_live_side_by_side(tmp_path: Path, start, mosquitto):
    """Workers that are started with the same words do not throw each other out."""
    command = ("ingest", "--broker", mosquitto.url, "--database", f"sqlite:///{tmp_path}/cloud.db")
    workers = [start(*command, name=name) for name in ("first", "second")]
    for worker in workers:
        worker.wait_for_word("ingest_ready")
    time.sleep(2)
    assert not any("ingest_offline" in worker.said() for worker in workers)
    assert [worker.end() for worker in workers] == [0, 0]


def test_reader_that_goes_away_is_no_error(mosquitto, start, tmp_path: Path):
    """`hedgerow tap | head -1` ends quietly and with exit code 0."""
    path = configuration(
        tmp_path, cameras={"north": "sim:orchard"}, more=f'[sync]\nbroker = "{mosquitto.url}"\nhealth_every_s = 5\n'
    )
    start("run", "--config", path).wait_for_word("link_online")
    command = [*HEDGEROW, "tap", "--broker", mosquitto.url]
    tap = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    tap.stdout.readline()
    tap.stdout.close()
    assert tap.wait(30) == 0
    assert tap.stderr.read() == b""
