"""What cameras look at, kept over a restart."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.config import CameraConfig, SightConfig
from agent.sights import FOLDER, Sights
from tests.pipeline.scripted import frame_of

CAMERAS = (
    CameraConfig(name="live", source="rtsp://127.0.0.1/x"),
    CameraConfig(name="film", source="film.mp4"),
    CameraConfig(name="moving", source="rtsp://127.0.0.1/y", gps="gpsd://127.0.0.1"),
    CameraConfig(name="told", source="film.mp4", sight=SightConfig(check=True)),
)


def look(sights: Sights, camera: str) -> np.ndarray:
    coarse = np.kron(np.random.default_rng(1).integers(40, 220, (10, 18)), np.ones((9, 9))).astype(np.uint8)
    sights.of(camera).look(replace(frame_of(camera, 1), small=coarse))
    return coarse


def test_which_cameras_are_checked(tmp_path: Path):
    """Live cameras are, recordings where it is asked for; one that moves has no view to keep."""
    sights = Sights(CAMERAS, tmp_path)
    assert sights.states() == {"live": "clear", "moving": "clear", "told": "clear"}
    assert sights.of("film") is None
    assert sights.of("moving").view is None


def test_views_are_kept(tmp_path: Path):
    """What a camera looked at is stored once it is known, and known again after a restart; nothing else is written."""
    sights = Sights(CAMERAS, tmp_path)
    sights.save()
    assert not (tmp_path / FOLDER).exists()
    seen = look(sights, "live")
    sights.save()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["live.npz"]
    assert np.array_equal(Sights(CAMERAS, tmp_path).of("live").view.reference.small, seen)


def test_a_damaged_view_is_begun_anew(tmp_path: Path):
    """A file that cannot be used does not keep the agent from starting, and is replaced."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "live.npz").write_bytes(b"PK\x03\x04 half a file")
    sights = Sights(CAMERAS, tmp_path)
    seen = look(sights, "live")
    sights.save()
    assert np.array_equal(Sights(CAMERAS, tmp_path).of("live").view.reference.small, seen)


def test_a_folder_that_takes_nothing(tmp_path: Path):
    """Where views cannot be stored, that is logged, and no more."""
    (tmp_path / FOLDER).write_text("a file where the folder should be", encoding="utf-8")
    sights = Sights(CAMERAS, tmp_path)
    look(sights, "live")
    sights.save()
    assert sights.states()["live"] == "clear"
