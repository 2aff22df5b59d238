"""Frames of the simulated orchard as training data."""

import filecmp
import subprocess
import sys

import cv2
import numpy as np

from tests.conftest import ROOT


def simulate(out, *arguments) -> None:
    command = [sys.executable, "-m", "models.simulate", str(out), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_frames_are_labelled_with_what_they_show(tmp_path):
    """Each frame has a label file; its boxes lie in the picture, are of all three classes, and are where fruit is."""
    simulate(tmp_path, "--frames", "3", "--per-orchard", "1")
    labels = sorted((tmp_path / "labels" / "train").iterdir())
    images = sorted((tmp_path / "images" / "train").iterdir())
    assert [path.stem for path in labels] == [path.stem for path in images]
    rows = [np.loadtxt(path, ndmin=2) for path in labels]
    assert {int(value) for each in rows for value in each[:, 0]} == {0, 1, 2}
    for path, boxes in zip(images, rows, strict=True):
        picture = cv2.imread(str(path))
        assert picture.shape == (720, 1280, 3)
        corners = np.concatenate([boxes[:, 1:3] - boxes[:, 3:] / 2, boxes[:, 1:3] + boxes[:, 3:] / 2], axis=1)
        assert corners.min() >= -1e-5
        assert corners.max() <= 1 + 1e-5
        assert redness(picture, boxes) > redness(picture, boxes + np.array([0, 0, 0.12, 0, 0]))


def redness(picture, boxes) -> float:
    """How much redder than green the middles of boxes are, on average."""
    at = np.clip((boxes[:, 1:3] * [1280, 720]).astype(int), 0, [1279, 719])
    blue_green_red = picture[at[:, 1], at[:, 0]].astype(float)
    return float((blue_green_red[:, 2] - blue_green_red[:, 1]).mean())


def test_the_same_seed_gives_the_same_files(tmp_path):
    """Two runs with one seed write the same bytes; another seed does not."""
    for name, seed in (("first", "5"), ("second", "5"), ("other", "6")):
        simulate(tmp_path / name, "--frames", "1", "--seed", seed)
    first, second = (sorted(path for path in (tmp_path / name).rglob("*.*")) for name in ("first", "second"))
    assert [path.name for path in first] == [path.name for path in second]
    assert all(filecmp.cmp(one, other, shallow=False) for one, other in zip(first, second, strict=True))
    assert sorted(path.name for path in (tmp_path / "other").rglob("*.*")) != [path.name for path in first]
