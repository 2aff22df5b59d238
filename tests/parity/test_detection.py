"""The detector against ultralytics itself, on real photographs and the same ONNX files."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.detection import detect_folder, open_detector
from benchmarks.scoring import score

HERE = Path(__file__).resolve().parent
ITS_NMS_IOU = 0.7  # of ultralytics' predict
LOWEST_SCORE = 0.001
CLASS_NAMES = ("apple", "cherry", "pear")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ultralytics(require_module, tmp_path_factory):
    """Run a command of the reference script, in a process of its own, and return the last line it printed."""
    for module in ("ultralytics", "torch", "onnxruntime"):
        require_module(module)
    settings = {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(tmp_path_factory.mktemp("ultralytics")),
        "ORT_DISABLE_TELEMETRY": "1",
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, str(HERE / "ultralytics_reference.py"), *arguments]
        process = subprocess.run(
            command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=500, check=False
        )
        assert process.returncode == 0, process.stderr
        return process.stdout.strip().splitlines()[-1] if process.stdout.strip() else ""

    return run


@pytest.fixture(scope="module")
def orchard(shared_data) -> Path:
    return shared_data / "orchard"


@pytest.fixture(scope="module")
def some_images(orchard, tmp_path_factory) -> Path:
    """Every twelfth validation image."""
    folder = tmp_path_factory.mktemp("images")
    for path in sorted((orchard / "images" / "val").iterdir())[::12]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def reference(ultralytics, bundled_model, orchard, tmp_path_factory) -> list[dict]:
    """What ultralytics finds in the validation images with the bundled model."""
    out = tmp_path_factory.mktemp("reference") / "results.json"
    ultralytics("predict", str(bundled_model), str(orchard / "images" / "val"), str(out), str(LOWEST_SCORE))
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reference_accuracy(reference, orchard) -> dict:
    """How ultralytics' detections score, by class."""
    return score(reference, orchard, CLASS_NAMES)


def run_folder(model, backend, folder, out) -> list[dict]:
    detector = open_detector(model, backend=backend, min_score=LOWEST_SCORE, max_detections=300, nms_iou=ITS_NMS_IOU)
    detect_folder(detector, folder, out)
    detector.close()
    return json.loads(out.read_text(encoding="utf-8"))


def by_image(results) -> dict[str, np.ndarray]:
    """Return, per file name, (N, 6) rows of class, score, x, y, width, height."""
    rows: dict[str, list] = {}
    for entry in results:
        rows.setdefault(entry["file_name"], []).append([entry["category_id"], entry["score"], *entry["bbox"]])
    return {name: np.array(values) for name, values in rows.items()}


def strays(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the rows without a partner: same class and, to 0.02, the same score and box.

    Rows that score within rounding of the threshold may lack one.
    """
    certain = rows[rows[:, 1] > LOWEST_SCORE * 1.01]
    distance = np.abs(certain[:, None] - others[None]).max(axis=2)
    return certain[distance.min(axis=1) > 0.02]


def count_strays(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> int:
    """Count, over all images and both sides, the detections that the other side lacks."""
    assert ours.keys() == theirs.keys()
    pairs = [(rows, theirs[name]) for name, rows in ours.items()]
    return sum(len(strays(first, second)) + len(strays(second, first)) for first, second in pairs)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_accuracy_agrees_with_ultralytics(backend, reference_accuracy, orchard, tmp_path):
    """Over all validation images mAP@0.5 and mAP@0.5:0.95 differ by 0.005 at most, for each class and overall."""
    results = run_folder(None, backend, orchard / "images" / "val", tmp_path / "results.json")
    ours = score(results, orchard, CLASS_NAMES)
    for name, value in reference_accuracy.items():
        assert ours[name].map50 == pytest.approx(value.map50, abs=0.005), name
        assert ours[name].map50_95 == pytest.approx(value.map50_95, abs=0.005), name


def test_the_same_boxes_as_ultralytics(ultralytics, bundled_model, some_images, tmp_path):
    """On ONNX Runtime, where both compute in 32 bits, every box of the NMS-free head is the same to 0.02 pixels."""
    model = bundled_model.with_name("orchard-yolo26n-nms-free.onnx")
    out = tmp_path / "reference.json"
    ultralytics("predict", str(model), str(some_images), str(out), str(LOWEST_SCORE))
    theirs = by_image(json.loads(out.read_text(encoding="utf-8")))
    ours = by_image(run_folder(model, "onnxruntime", some_images, tmp_path / "ours.json"))
    assert sum(len(rows) for rows in theirs.values()) > 1000
    assert count_strays(ours, theirs) == 0


def test_the_raw_head_gives_the_same_boxes_as_ultralytics(reference, bundled_model, some_images, tmp_path):
    """With NMS done here, the boxes are those that ultralytics' own NMS leaves, but for one in a thousand.

    That one overlaps by the limit to four digits: ultralytics keeps classes apart by shifting boxes 7680 pixels a
    class, which costs its 32-bit floats the digits that decide.
    """
    ours = by_image(run_folder(bundled_model, "onnxruntime", some_images, tmp_path / "ours.json"))
    theirs = {name: rows for name, rows in by_image(reference).items() if name in ours}
    rows = sum(len(rows) for rows in theirs.values())
    assert rows > 1000
    assert count_strays(ours, theirs) <= rows / 1000


def test_the_raw_head_runs_on_openvino(bundled_model, some_images, tmp_path):
    """OpenVINO finds the same clear fruit in the raw head as ONNX Runtime does, up to its bfloat16."""
    counts = {}
    for backend in ("openvino", "onnxruntime"):
        results = run_folder(bundled_model, backend, some_images, tmp_path / f"{backend}.json")
        counts[backend] = sum(entry["score"] > 0.5 for entry in results)
    assert counts["onnxruntime"] > 50
    assert counts["openvino"] == pytest.approx(counts["onnxruntime"], rel=0.05)


def test_weights_give_the_boxes_of_ultralytics(ultralytics, bundled_weights, some_images, tmp_path):
    """The ultralytics backend gives the boxes and scores of ultralytics' own predict with the same weights."""
    out = tmp_path / "reference.json"
    ultralytics("predict", str(bundled_weights), str(some_images), str(out), str(LOWEST_SCORE), "0")
    theirs = by_image(json.loads(out.read_text(encoding="utf-8")))
    ours = by_image(run_folder(bundled_weights, "ultralytics", some_images, tmp_path / "ours.json"))
    assert sum(len(rows) for rows in theirs.values()) > 1000
    assert count_strays(ours, theirs) == 0
