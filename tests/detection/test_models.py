"""Which models are accepted, and what is said of the others."""

import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from agent.detection import bundled_model_path, open_detector
from agent.errors import FatalError

NOTHING = np.zeros((1, 300, 6))
FRAME = np.zeros((64, 96, 3), np.uint8)


def refusal(path: Path, backend: str) -> str:
    """Open a model that cannot be used and return the message, which must be one line that names the file."""
    with pytest.raises(FatalError) as caught:
        open_detector(path, backend=backend)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_the_bundled_model_is_found(bundled_model):
    """Without a path the model of the checkout is used."""
    assert bundled_model_path() == bundled_model


def test_a_missing_model_is_named(backend, tmp_path):
    """A path where nothing lies is said to be so."""
    assert "does not exist" in refusal(tmp_path / "absent.onnx", backend)


def test_a_folder_is_no_model(backend, tmp_path):
    """A folder without an OpenVINO model in it is told what one looks like."""
    assert "it holds 0 .xml files" in refusal(tmp_path, backend)


@pytest.mark.parametrize("kind", ["empty", "text", "cut off"])
def test_what_is_no_onnx_file_is_refused(backend, tmp_path, bundled_model, kind):
    """An empty file, a text and half a model are refused as no ONNX."""
    path = tmp_path / "broken.onnx"
    path.write_bytes({"empty": b"", "text": b"hello " * 100, "cut off": bundled_model.read_bytes()[:500_000]}[kind])
    assert "is not an ONNX model that" in refusal(path, backend)


@pytest.mark.parametrize("task", ["segment", "pose", "classify", "obb"])
def test_models_of_other_tasks_are_refused(backend, make_model, task):
    """A model for another task is refused by the name of the task, whatever its outputs look like."""
    assert f"made for the task '{task}'; allowed: 'detect'" in refusal(
        make_model(NOTHING, metadata={"task": task}), backend
    )


def test_a_model_without_class_names_is_refused(backend, make_model):
    """Counts without names would be of no use, so names are required."""
    assert "does not name its classes" in refusal(make_model(NOTHING, metadata={"names": None}), backend)


def test_a_model_without_any_metadata_is_refused(backend, make_model):
    """A file that no exporter described is refused for its missing names."""
    bare = dict.fromkeys(("names", "task", "stride", "imgsz"))
    assert "does not name its classes" in refusal(make_model(NOTHING, metadata=bare), backend)


@pytest.mark.parametrize(
    "names", ["", "{}", "{1: 'apple'}", "{0: 1}", "{0: ''}", "['apple']", "__import__('os').getcwd()", "(" * 500, "{0:"]
)
def test_class_names_that_are_no_dict_of_names_are_refused(backend, make_model, names):
    """Names are read as a literal and never run; anything else than 0, 1, ... to text is refused."""
    assert "metadata 'names' is" in refusal(make_model(NOTHING, metadata={"names": names}), backend)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stride", "many"),
        ("stride", "0"),
        ("imgsz", "[640]"),
        ("imgsz", "[0, 640]"),
        ("imgsz", "x"),
        ("nms_iou", "0"),
        ("nms_iou", "1.5"),
        ("nms_iou", "much"),
    ],
)
def test_other_metadata_is_checked_too(backend, make_model, key, value):
    """A stride or size that makes no sense is refused by its name."""
    assert f"metadata '{key}' is" in refusal(make_model(NOTHING, metadata={key: value}), backend)


@pytest.mark.parametrize(
    "outputs",
    [
        [np.zeros((1, 7, 84))],
        [np.zeros((1, 300, 7))],
        [np.zeros((2, 300, 6))],
        [np.zeros((1, 6))],
        [NOTHING, np.zeros((1, 32, 16, 16))],
    ],
    ids=["other class count", "seven columns", "two frames", "flat", "masks"],
)
def test_unknown_outputs_are_refused_by_shape(backend, make_model, outputs):
    """Outputs of no known head are refused; the message gives the shapes found and allowed."""
    message = refusal(make_model(*outputs), backend)
    assert "allowed: (1, N, 6) or (1, 6, anchors)" in message
    assert str(outputs[-1].shape) in message


@pytest.mark.parametrize("shape", [(4, 3, 64, 96), (1, 1, 64, 96), (1, 64, 96)], ids=["batch", "grey", "flat"])
def test_other_inputs_are_refused_by_shape(backend, make_model, shape):
    """A model that takes anything but one colour image is refused; the message gives what it takes."""
    assert f"takes {shape}; allowed: one input of shape (1, 3, height, width)" in refusal(
        make_model(NOTHING, shape=shape), backend
    )


def test_an_input_of_fixed_size_keeps_it(backend, make_model):
    """The size in the graph counts, not the one in the metadata."""
    info = open_detector(make_model(NOTHING, metadata={"imgsz": "[640, 640]"}), backend=backend).info
    assert (info.input_height, info.input_width) == (64, 96)


@pytest.mark.parametrize(("imgsz", "size"), [("[320, 416]", (320, 416)), ("256", (256, 256)), (None, (640, 640))])
def test_an_input_of_open_size_takes_the_size_of_the_export(backend, make_model, imgsz, size):
    """Where the graph leaves batch, height and width open, the metadata's size is used, or 640."""
    model = make_model(NOTHING, shape=("batch", 3, "height", "width"), metadata={"imgsz": imgsz})
    detector = open_detector(model, backend=backend)
    assert (detector.info.input_height, detector.info.input_width) == size
    assert len(detector.detect(FRAME)) == 0


def test_a_half_precision_input_is_fed(backend, make_model):
    """A model exported with a float16 input runs."""
    detector = open_detector(make_model(NOTHING, element=TensorProto.FLOAT16), backend=backend)
    assert len(detector.detect(FRAME)) == 0


def test_the_head_is_told_by_its_shape(backend, make_model):
    """Rows of six are NMS-free, columns of 4 + classes are raw."""
    assert open_detector(make_model(NOTHING), backend=backend).info.head == "end2end"
    assert open_detector(make_model(np.zeros((1, 6, 126))), backend=backend).info.head == "raw"


def test_a_class_without_a_name_stops_with_one_line(backend, make_model):
    """A model that finds a class beyond its names is refused at the first such detection."""
    rows = np.zeros((1, 300, 6))
    rows[0, 0] = [10, 10, 20, 20, 0.9, 2]
    detector = open_detector(make_model(rows), backend=backend)
    with pytest.raises(FatalError, match="names 2 classes but found class 2"):
        detector.detect(FRAME)


def test_an_absent_onnx_runtime_names_the_extra(monkeypatch):
    """Without ONNX Runtime the message says what to install."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "agent.detection.onnxruntime_backend", raising=False)
    with pytest.raises(FatalError, match=r"pip install 'hedgerow\[onnxruntime\]'"):
        open_detector(None, backend="onnxruntime")


@pytest.mark.parametrize("name", ["*", "ap\x1b[31mple", "a\0b", "two\nlines", "a" * 257])
def test_class_names_that_cannot_be_told_are_refused(backend, make_model, name):
    """A name that means all classes, commands a terminal or fits no message is refused before anything is counted."""
    message = refusal(make_model(NOTHING, metadata={"names": repr({0: "apple", 1: name})}), backend)
    assert "up to 256 printable characters, and not '*'" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("shape", "imgsz"), [(("batch", 3, "height", "width"), "[200000, 200000]"), ((1, 3, 64, 5000), "[64, 96]")]
)
def test_an_input_that_would_take_all_memory_is_refused(backend, make_model, shape, imgsz):
    """A size that no box can run is one line, not an allocation of gigabytes."""
    assert "allowed: up to 4096 a side" in refusal(make_model(NOTHING, shape=shape, metadata={"imgsz": imgsz}), backend)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_class_that_is_no_number_is_one_line(backend, make_model):
    """A class of 1e30 or NaN is refused like any without a name, and nothing else is said."""
    for odd in (1e30, np.nan):
        rows = np.tile(np.array([1, 1, 50, 50, 0.9, odd]), (1, 300, 1))
        with pytest.raises(FatalError, match="names 2 classes but found class"):
            open_detector(make_model(rows), backend=backend).detect(FRAME)
