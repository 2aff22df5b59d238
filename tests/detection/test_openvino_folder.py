"""OpenVINO models: a folder with graph, weights and, from ultralytics, a description."""

from pathlib import Path

import numpy as np
import pytest

from agent.detection import open_detector
from agent.detection.telemetry import forbid_telemetry
from agent.errors import FatalError

FRAME = np.zeros((64, 96, 3), np.uint8)
DESCRIPTION = "task: detect\nstride: 32\nimgsz:\n- 64\n- 96\nnames:\n  0: apple\n  1: pear\n"


@pytest.fixture
def folder(make_model, tmp_path) -> Path:
    """A model that finds one pear, as an OpenVINO model that keeps the ONNX file's metadata."""
    forbid_telemetry()
    import openvino

    rows = np.zeros((1, 300, 6))
    rows[0, 0] = [10, 20, 30, 40, 0.5, 1]
    made = tmp_path / "exported"
    made.mkdir()
    openvino.save_model(openvino.Core().read_model(make_model(rows)), made / "model.xml")
    return made


def test_a_folder_gives_what_its_onnx_file_gives(folder):
    """Boxes, classes and names come through, and the graph may be named in place of its folder."""
    for path in (folder, folder / "model.xml"):
        detector = open_detector(path)
        assert detector.info.class_names == ("apple", "pear")
        assert detector.detect(FRAME).boxes.tolist() == [[10, 20, 30, 40]]


def test_the_description_beside_it_counts(folder):
    """What ultralytics writes into metadata.yaml is read in place of what the graph keeps, and is part of the hash."""
    before = open_detector(folder).info.sha256
    (folder / "metadata.yaml").write_text(DESCRIPTION.replace("pear", "plum"), encoding="utf-8")
    info = open_detector(folder).info
    assert info.class_names == ("apple", "plum")
    assert info.sha256 != before


def test_each_file_is_part_of_the_hash(folder):
    """Other weights are another model."""
    before = open_detector(folder).info.sha256
    with (folder / "model.bin").open("ab") as weights:
        weights.write(b"\0")
    assert open_detector(folder).info.sha256 != before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "model.bin").unlink(), r"model .*model\.bin does not exist"),
        (lambda folder: (folder / "model.xml").unlink(), r"it holds 0 \.xml files"),
        (lambda folder: (folder / "other.xml").write_text("<a/>"), r"it holds 2 \.xml files"),
        (lambda folder: (folder / "model.xml").write_text("<net"), r"is not an OpenVINO model that openvino can run"),
        (lambda folder: (folder / "model.xml").write_bytes(b""), r"is not an OpenVINO model that openvino can run"),
        (lambda folder: (folder / "model.bin").write_bytes(b""), r"is not an OpenVINO model that openvino can run"),
        (lambda folder: (folder / "metadata.yaml").write_text("a: ["), r"metadata\.yaml: it is not YAML: "),
        (lambda folder: (folder / "metadata.yaml").write_bytes(b"\xff\xfe\xff"), r"metadata\.yaml: it is not YAML: "),
        (lambda folder: (folder / "metadata.yaml").write_text("- a"), r"expected keys and values"),
        (lambda folder: (folder / "metadata.yaml").write_text("task: segment"), r"made for the task 'segment'"),
        (lambda folder: (folder / "metadata.yaml").write_text("task: detect"), r"does not name its classes"),
    ],
)
def test_a_spoilt_folder_is_refused_in_one_line(folder, spoil, message):
    """Missing, doubled, cut or strange files are each named."""
    spoil(folder)
    with pytest.raises(FatalError, match=message) as caught:
        open_detector(folder)
    assert "\n" not in str(caught.value)
