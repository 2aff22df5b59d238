"""A folder of images in, COCO results out."""

import json

import cv2
import numpy as np
import pytest
import structlog

from agent.detection import detect_folder, open_detector
from agent.errors import FatalError


@pytest.fixture(scope="module")
def detector():
    """The bundled model."""
    detector = open_detector(None, min_score=0.55)  # a drawn disc is a cherry to it too, at 0.54
    yield detector
    detector.close()


@pytest.fixture
def folder(tmp_path):
    """Two images with one and two drawn apples, one of them in a sub-folder, beside files that are no images."""
    folder = tmp_path / "images"
    (folder / "row 2").mkdir(parents=True)
    (folder / ".cache").mkdir()
    write_image(folder / "b.png", [(100, 100)])
    write_image(folder / "row 2" / "a.JPG", [(100, 100), (300, 200)])
    write_image(folder / ".cache" / "thumb.png", [(100, 100)])
    write_image(folder / ".hidden.png", [(100, 100)])
    (folder / "notes.txt").write_text("no image", encoding="ascii")
    return folder


def write_image(path, centres) -> None:
    image = np.full((480, 640, 3), (60, 120, 50), np.uint8)
    for centre in centres:
        cv2.circle(image, centre, 22, (40, 40, 200), -1, cv2.LINE_AA)
    data = cv2.imencode(path.suffix.lower(), cv2.GaussianBlur(image, (5, 5), 0))[1]
    path.write_bytes(data.tobytes())


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_results_are_coco_results(detector, folder, tmp_path):
    """Each box becomes one entry with the image's place and relative name, its class, x, y, width, height and score."""
    out = tmp_path / "results.json"
    result = detect_folder(detector, folder, out)
    entries = json.loads(out.read_text(encoding="utf-8"))
    assert (result.images, result.detections, result.unreadable) == (2, 3, ())
    assert [(entry["image_id"], entry["file_name"]) for entry in entries] == [
        (0, "b.png"),
        (1, "row 2/a.JPG"),
        (1, "row 2/a.JPG"),
    ]
    assert {(entry["category_id"], entry["category_name"]) for entry in entries} == {(0, "apple")}
    x, y, width, height = entries[0]["bbox"]
    assert np.allclose([x, y, width, height], [78, 78, 44, 44], atol=10)
    assert 0.55 < entries[0]["score"] <= 1


def test_results_are_what_the_detector_says(detector, folder, tmp_path):
    """Numbers in the file are the detector's, to a thousandth of a pixel."""
    out = tmp_path / "results.json"
    detect_folder(detector, folder, out)
    entry = json.loads(out.read_text(encoding="utf-8"))[0]
    found = detector.detect(cv2.imread(str(folder / "b.png")))
    x, y, width, height = entry["bbox"]
    assert np.allclose([x, y, x + width, y + height], found.boxes[0], atol=2e-3)
    assert entry["score"] == pytest.approx(float(found.scores[0]), abs=1e-6)


def test_an_unreadable_image_is_named_counted_and_passed_over(detector, folder, tmp_path):
    """A broken, an empty and a vanished image each give one warning with their name; numbering goes on."""
    (folder / "a-broken.jpg").write_bytes(b"\xff\xd8 this is no JPEG")
    (folder / "c-empty.png").write_bytes(b"")
    (folder / "d-gone.png").symlink_to(folder / "nowhere.png")
    out = tmp_path / "results.json"
    with structlog.testing.capture_logs() as logs:
        result = detect_folder(detector, folder, out)
    broken = ("a-broken.jpg", "c-empty.png", "d-gone.png")
    assert (result.images, result.detections, result.unreadable) == (5, 3, broken)
    assert tuple(log["file"] for log in logs if log["event"] == "image_unreadable") == broken
    assert {entry["image_id"] for entry in json.loads(out.read_text(encoding="utf-8"))} == {1, 4}


def test_images_without_fruit_give_an_empty_list(detector, tmp_path):
    """Nothing found is an empty list, not an empty file."""
    folder = tmp_path / "images"
    folder.mkdir()
    write_image(folder / "meadow.png", [])
    out = tmp_path / "results.json"
    assert detect_folder(detector, folder, out).detections == 0
    assert json.loads(out.read_text(encoding="utf-8")) == []


def test_progress_is_told_after_each_image(detector, folder, tmp_path):
    """The caller hears how many are done, and of how many."""
    steps = []
    detect_folder(detector, folder, tmp_path / "out.json", on_progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]


def test_a_missing_folder_is_named(detector, tmp_path):
    """A folder that does not exist gives one line with its name, and no file."""
    with pytest.raises(FatalError, match=r"cannot list folder .*nowhere: No such file"):
        detect_folder(detector, tmp_path / "nowhere", tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_a_folder_without_images_is_named(detector, tmp_path):
    """An empty folder is a mistake of the caller, not an empty result."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FatalError, match=r"no images in folder .*empty: looked for \.bmp"):
        detect_folder(detector, empty, tmp_path / "out.json")


def test_results_appear_whole_or_not_at_all(detector, folder, tmp_path):
    """When the run ends half way, the results of the last run are still there and no draft is left behind."""
    out = tmp_path / "results.json"
    out.write_text("the last results", encoding="ascii")

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect_folder(detector, folder, out, on_progress=interrupt)
    assert out.read_text(encoding="ascii") == "the last results"
    assert names_in(tmp_path) == ["images", "results.json"]


@pytest.mark.parametrize("place", ["nowhere/results.json", "file/results.json", "images"])
def test_results_that_cannot_be_written_are_named(detector, folder, tmp_path, place):
    """A missing folder, a file in place of a folder and a folder in place of the file each give one line."""
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(FatalError, match=r"cannot write .*: "):
        detect_folder(detector, folder, tmp_path / place)
    assert names_in(tmp_path) == ["file", "images"]
