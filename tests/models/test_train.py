"""The training recipe runs from data to weights that the agent loads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from agent.detection import open_detector
from tests.conftest import ROOT

QUICK = ["--epochs", "1", "--imgsz", "64", "--batch", "2", "--workers", "0", "--threads", "1", "--close-mosaic", "0"]


def train(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "models" / "train.py"), *map(str, arguments)]
    talkative = {**os.environ, "YOLO_VERBOSE": "true"}  # whoever loaded ultralytics here has silenced it
    return subprocess.run(command, capture_output=True, text=True, check=False, env=talkative)


@pytest.fixture(scope="module")
def data(shared_data, tmp_path_factory) -> Path:
    """Two photographs to train with and two to validate with."""
    folder = tmp_path_factory.mktemp("data")
    orchard = shared_data / "orchard"
    shutil.copy(orchard / "data.yaml", folder)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for image in sorted((orchard / "images" / part).glob("applebbch81*"))[:2]:
            shutil.copy(image, folder / "images" / part)
            label = orchard / "labels" / part / f"{image.stem}.txt"
            if label.exists():
                shutil.copy(label, folder / "labels" / part)
    return folder


@pytest.fixture(scope="module")
def more(data, tmp_path_factory) -> Path:
    """A further photograph, outside of the data."""
    folder = tmp_path_factory.mktemp("more")
    for kind in ("images", "labels"):
        (folder / kind / "train").mkdir(parents=True)
    picture = cv2.imread(str(min((data / "images" / "train").iterdir())))
    cv2.imwrite(str(folder / "images" / "train" / "sim_1.jpg"), picture[::-1])
    (folder / "labels" / "train" / "sim_1.txt").write_text("0 0.5 0.5 0.1 0.1\n", encoding="ascii")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_epoch_gives_weights_that_load(require_module, data, more, bundled_weights, tmp_path):
    """From given weights, with a teacher and with further photographs, the run ends in weights and a curve."""
    require_module("ultralytics")
    run = tmp_path / "run"
    done = train(data, "--out", run, "--init", bundled_weights, "--teacher", bundled_weights, "--more", more, *QUICK)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "3 images" in done.stdout + done.stderr  # two and one more
    assert (run / "results.csv").read_text(encoding="utf-8").count("\n") == 2
    assert "distill_model: " + str(bundled_weights) in (run / "args.yaml").read_text(encoding="utf-8")
    detector = open_detector(run / "weights" / "best.pt")
    assert detector.info.class_names == ("apple", "cherry", "pear")


@pytest.mark.parametrize(
    ("option", "said"),
    [("--more", "has no images/train"), ("--init", "does not exist"), ("--teacher", "does not exist")],
)
def test_what_is_not_there_is_one_line(data, tmp_path, option, said):
    """A folder or weights that are missing are told before anything is loaded."""
    done = train(data, "--out", tmp_path / "run", option, tmp_path / "absent")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [f"{tmp_path / 'absent'} {said}"]


def test_data_without_a_description_is_one_line(tmp_path):
    """A folder that is no data set is refused."""
    done = train(tmp_path, "--out", tmp_path / "run")
    assert (done.returncode, done.stderr.strip()) == (1, f"{tmp_path} has no data.yaml")
