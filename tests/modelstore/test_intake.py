"""Models of every kind are taken in, run and described; what cannot be used is refused and leaves nothing."""

from pathlib import Path

import numpy as np
import pytest

from agent.config import ModelConfig
from agent.detection import bundled_model_path, open_detector
from agent.detection.folder import read_image
from agent.detection.model_file import read_model_file
from agent.detection.shaped import Shaped, best_shape
from agent.errors import FatalError
from agent.modelstore import Agreement, Intake, ModelStore, add_model, open_model
from agent.modelstore.agreement import paired_ious
from agent.modelstore.frames import LEAST, frames_of_cameras, frames_of_folder
from agent.modelstore.intake import good_enough, probe
from agent.types import Detections, Image
from tests.pipeline.scripted import ScriptedDetector

NOTHING = np.zeros((1, 300, 6))


def add(store: ModelStore, given, **more):
    said: list[str] = []
    manifest = add_model(store, Intake(str(given), **more), utc_ms=1_700_000_000_000, say=said.append)
    return manifest, said


def test_an_onnx_file_is_installed(store, make_model):
    """The file is copied as it is, and described by what it says of itself."""
    path = make_model(NOTHING, metadata={"license": "MIT"}, name="two-fruits")
    manifest, said = add(store, path, origin="the neighbour")
    assert (manifest.name, manifest.origin, manifest.licence) == ("two-fruits", "the neighbour", "MIT")
    assert manifest.classes == ("apple", "pear")
    assert manifest.sha256 == read_model_file(path).sha256
    (variant,) = manifest.variants
    assert (variant.height, variant.width, variant.sha256) == (64, 96, manifest.sha256)
    assert (store.folder / "two-fruits" / variant.file).read_bytes() == path.read_bytes()
    assert store.verify("two-fruits") == manifest
    assert "verified 64x96 on" in said[0]


def test_the_bundled_model_is_known_by_its_name(store):
    """The model that ships needs no path."""
    manifest, _ = add(store, "orchard-yolo26n", name="mine")
    assert manifest.sha256 == read_model_file(bundled_model_path()).sha256
    assert "AGPL" in manifest.licence


def test_an_openvino_folder_is_installed(store, make_model, tmp_path):
    """Graph, weights and description come along; what else lies in the folder does not."""
    import openvino

    folder = tmp_path / "fruit_openvino_model"
    folder.mkdir()
    openvino.save_model(openvino.Core().read_model(make_model(NOTHING)), folder / "fruit.xml")
    text = "task: detect\nlicense: MIT\nstride: 32\nimgsz: [64, 96]\nnames: {0: a, 1: b}\n"
    (folder / "metadata.yaml").write_text(text, encoding="ascii")
    (folder / "notes.txt").write_text("secret", encoding="ascii")
    manifest, _ = add(store, folder)
    assert (manifest.name, manifest.classes, manifest.licence) == ("fruit", ("a", "b"), "MIT")
    installed = store.folder / "fruit" / manifest.variants[0].file
    assert sorted(path.name for path in installed.iterdir()) == ["metadata.yaml", "model.bin", "model.xml"]
    assert store.verify("fruit").sha256 == manifest.sha256


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.onnx", b"", "is not an ONNX model"),
        ("text.onnx", b"hello", "is not an ONNX model"),
        ("pickle.pt", b"\x80\x04}.", "is not an ultralytics model|needs ultralytics"),
        ("picture.jpg", b"\xff\xd8\xff", "is not an ONNX model"),
        ("graph.xml", b"<net/>", r"graph\.bin does not exist"),
    ],
)
def test_bad_files_are_refused_and_leave_nothing(store, tmp_path, name, content, says):
    """Each kind of wrong file is one line with its reason, and the store stays empty."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FatalError, match=says) as caught:
        add(store, tmp_path / name)
    assert "\n" not in str(caught.value)
    assert store.names() == []


def test_other_models_are_refused_and_leave_nothing(store, make_model, tmp_path):
    """Another task, unknown outputs, no names, a nameless class found, no file and an empty folder are told apart."""
    (tmp_path / "folder").mkdir()
    for given, says in (
        (make_model(NOTHING, metadata={"task": "segment"}, name="a"), "made for the task 'segment'"),
        (make_model(np.zeros((1, 7, 84)), name="b"), "allowed: .1, N, 6."),
        (make_model(NOTHING, metadata={"names": None}, name="c"), "does not name its classes"),
        (make_model(np.tile([1, 1, 9, 9, 0.9, 7], (1, 300, 1)), name="d"), "names 2 classes but found class 7"),
        (tmp_path / "absent.onnx", "does not exist: give an ONNX file"),
        (tmp_path / "folder", "0 .xml files"),
    ):
        with pytest.raises(FatalError, match=says) as caught:
            add(store, given)
        assert str(given) in str(caught.value)  # and not the draft
    assert store.names() == []


def test_a_model_that_is_not_sure_of_itself_is_refused():
    """The probe shows each picture twice: who finds other boxes the second time is not installed."""

    class Fickle(ScriptedDetector):
        looks = 0

        def detect(self, image: Image) -> Detections:
            self.looks += 1
            found = super().detect(np.zeros_like(image))
            return Detections(found.boxes + self.looks, found.scores, found.class_ids)

    with pytest.raises(FatalError, match="finds different boxes in the same picture"):
        probe(Fickle())


@pytest.mark.slow
def test_weights_are_exported_at_both_shapes(store, shared_data, bundled_weights, require_module):
    """A .pt file becomes two NMS-free ONNX files of fixed shape, which find the same clear fruit as the card's."""
    require_module("ultralytics")
    manifest, _ = add(store, bundled_weights, name="orchard")
    assert [(each.file, each.height, each.width) for each in manifest.variants] == [
        ("640x640.onnx", 640, 640),
        ("384x640.onnx", 384, 640),
    ]
    assert sorted(path.name for path in (store.folder / "orchard").iterdir()) == [
        "384x640.onnx",
        "640x640.onnx",
        "model.json",
    ]
    config = ModelConfig(name="orchard", backend="openvino")
    detector = open_model(config, store.folder.parent, min_score=0.25)
    assert (detector.info.name, detector.info.sha256, detector.info.head) == ("orchard", manifest.sha256, "end2end")
    picture = read_image(min((shared_data / "orchard" / "images" / "val").iterdir()))
    nms_free = bundled_weights.with_name("orchard-yolo26n-nms-free.onnx")
    ours, theirs = detector.detect(picture), open_detector(nms_free, min_score=0.25).detect(picture)
    assert len(theirs) > 3
    assert len(paired_ious(ours, theirs)) >= 0.9 * len(theirs)
    wide = np.ascontiguousarray(picture[:360])  # goes to the other shape
    assert len(detector.detect(wide)) > 0
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(picture)


@pytest.fixture(scope="module")
def frames(shared_data) -> tuple:
    paths = sorted((shared_data / "orchard" / "images" / "val").iterdir())[::20]
    return tuple(read_image(path) for path in paths[:15])


@pytest.mark.slow
def test_int8_is_kept_if_it_agrees(store, frames, require_module):
    """The INT8 model is measured on frames that did not calibrate it, and replaces the float one as they agree."""
    require_module("nncf")
    manifest, said = add(store, "orchard-yolo26n", name="orchard", calibration=frames, least_agreement=0.5)
    assert "in 5 frames that did not calibrate it" in next(line for line in said if "of boxes agree" in line)
    assert 0.5 <= manifest.int8.share <= 1
    assert [each.precision for each in manifest.variants] == ["int8"]
    assert sorted(path.name for path in (store.folder / "orchard").iterdir()) == ["640x640-int8", "model.json"]
    assert store.verify("orchard") == manifest
    detector = open_model(ModelConfig(name="orchard"), store.folder.parent, min_score=0.25)
    assert detector.info.precision == "int8"
    assert sum(len(detector.detect(frame)) for frame in frames) > 20


def test_int8_is_dropped_where_nothing_was_to_see(store, make_model, frames, require_module):
    """A model that finds nothing in the frames cannot be compared, so its float form stays and the INT8 one goes."""
    require_module("nncf")
    manifest, said = add(store, make_model(NOTHING), calibration=frames)
    assert manifest.int8 is None
    assert any(line.startswith("kept the float model") for line in said)
    assert sorted(path.name for path in (store.folder / "made").iterdir()) == ["float.onnx", "model.json"]


@pytest.mark.parametrize(
    ("agreements", "enough"),
    [
        ([Agreement(5, 100, 100, 90, 0.9)], True),
        ([Agreement(5, 100, 100, 89, 0.9)], False),
        ([Agreement(5, 100, 100, 95, 0.9), Agreement(5, 100, 100, 80, 0.9)], False),
        ([Agreement(5, 0, 0, 0, 0.0)], False),
    ],
)
def test_every_variant_must_agree(agreements, enough):
    """One variant that disagrees, or had nothing to compare, is enough to keep the float model."""
    assert good_enough(agreements, 0.9) is enough


def test_absent_nncf_names_the_extra(store, frames, monkeypatch):
    """Without the calibrator the model is not installed, and the message says what to install."""
    monkeypatch.setenv("PYTHONPATH", str(_hidden(store.folder.parent, "nncf")))
    with pytest.raises(FatalError, match=r"pip install 'hedgerow\[calibration\]'"):
        add(store, "orchard-yolo26n", calibration=frames)
    assert store.names() == []


def _hidden(folder: Path, module: str) -> Path:
    """Make a folder in which a module is found that says that it is not there."""
    (folder / "hide").mkdir(parents=True)
    code = f'raise ModuleNotFoundError("absent", name="{module}")'
    (folder / "hide" / f"{module}.py").write_text(code, encoding="ascii")
    return folder / "hide"


def test_an_installed_model_that_changed_does_not_start(store, make_model):
    """Bytes that differ from those installed are refused when the agent opens the model."""
    manifest, _ = add(store, make_model(NOTHING))
    config = ModelConfig(name="made")
    open_model(config, store.folder.parent, min_score=0.1).close()
    with (store.folder / "made" / manifest.variants[0].file).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(FatalError, match="is not what was installed"):
        open_model(config, store.folder.parent, min_score=0.1)


@pytest.mark.parametrize(
    ("height", "width", "best"),
    [(640, 640, 640), (480, 640, 640), (720, 1280, 384), (1080, 1920, 384), (1280, 720, 640), (1, 3000, 384)],
)
def test_a_frame_goes_to_the_shape_that_shows_it_largest(height, width, best):
    """Wide frames go to the wide shape, which is cheaper; all others to the square one."""
    shapes = [Shaped(Path("a"), 640, 640), Shaped(Path("b"), 384, 640)]
    assert best_shape(shapes, height, width).height == best


def detections(*boxes, class_id=0) -> Detections:
    n = len(boxes)
    return Detections(np.float32(boxes).reshape(n, 4), np.ones(n, np.float32), np.full(n, class_id, np.int64))


def test_agreement_pairs_each_box_once():
    """Boxes pair by overlap and class, the best first, and none twice."""
    box, near, far = [0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60]
    assert paired_ious(detections(box), detections(box)) == [1.0]
    assert paired_ious(detections(box, near), detections(box)) == [1.0]
    assert paired_ious(detections(box), detections(far)) == []
    assert paired_ious(detections(box), detections(box, class_id=1)) == []
    assert paired_ious(detections(), detections(box)) == []


def test_frames_come_from_folders_and_cameras(shared_data, tmp_path):
    """A folder gives its images, a camera a frame each half second; too few are refused."""
    from agent.clock import SystemClock
    from agent.config import CameraConfig

    found = frames_of_folder(shared_data / "orchard" / "images" / "val")
    assert LEAST < len(found) <= 160
    video = CameraConfig(name="a", source=str(shared_data / "video" / "orchard_pan_dev.mp4"))
    away = CameraConfig(name="b", source=str(tmp_path / "absent.mp4"))
    told = []
    frames = frames_of_cameras((video, away), SystemClock(), on_progress=lambda *step: told.append(step))
    assert 65 <= len(frames) <= 75  # of 36 seconds
    assert len(told) == 2
    with pytest.raises(FatalError, match="wants at least 12 frames"):
        frames_of_cameras((away,), SystemClock(), on_progress=lambda *_step: None)
