"""What every detector promises, whatever runs it."""

import hashlib
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.detection import bundled_model_path, open_detector
from agent.detection.telemetry import forbid_telemetry

LOWEST_SCORE = 0.001
SIZES = [(1, 1), (1, 3000), (2999, 3), (33, 517), (97, 61), (480, 640), (640, 640), (720, 1280), (1081, 1919)]


@pytest.fixture(scope="module", params=["openvino", "openvino folder", "onnxruntime", "ultralytics"])
def backend(request) -> str:
    """Each runtime and kind of model in turn."""
    return request.param


@pytest.fixture(scope="module")
def model(backend, bundled_weights, require_module, tmp_path_factory) -> Path:
    """The orchard model in the form that the backend is shown."""
    if backend == "ultralytics":
        require_module("ultralytics")
        return bundled_weights
    if backend == "openvino folder":
        folder = tmp_path_factory.mktemp("folder")
        save_openvino(bundled_model_path(), folder / "orchard-yolo26n.xml")
        return folder
    return bundled_model_path()


def save_openvino(source: Path, target: Path) -> None:
    """Write an ONNX file again as an OpenVINO model."""
    forbid_telemetry()
    import openvino

    openvino.save_model(openvino.Core().read_model(source), target)


@pytest.fixture(scope="module")
def open_one(backend, model):
    """Open a detector of this backend."""
    return partial(open_detector, model, backend=backend.removesuffix(" folder"))


@pytest.fixture(scope="module")
def detector(open_one):
    """One that lets nearly everything through."""
    detector = open_one(min_score=LOWEST_SCORE)
    yield detector
    detector.close()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def drawn_apples() -> tuple[np.ndarray, np.ndarray]:
    """Eight red discs on green, and their boxes."""
    image = np.full((480, 640, 3), (60, 120, 50), np.uint8)
    centres = np.array([(60 + 75 * i, 100 + 30 * (i % 3)) for i in range(8)])
    for centre in centres.tolist():
        cv2.circle(image, centre, 22, (40, 40, 200), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (5, 5), 0), np.concatenate([centres - 22, centres + 22], axis=1)


def same(first, second) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("boxes", "scores", "class_ids"))


def test_info_describes_the_file_and_the_runtime(detector, backend, model):
    """What a detector says of itself is what the file says of itself."""
    info = detector.info
    assert info.path == model
    assert info.name == ("folder0" if backend == "openvino folder" else "orchard-yolo26n")
    if model.is_file():
        assert info.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert info.class_names == ("apple", "cherry", "pear")
    assert (info.input_height, info.input_width, info.stride) == (640, 640, 32)
    assert (info.head, info.backend) == ("raw", backend.removesuffix(" folder"))
    assert info.precision in {"f32", "bf16", "f16"}


def test_finds_what_is_there(open_one):
    """Each of eight drawn apples gets a box within eight pixels of the truth, nothing else does, most are apples."""
    image, truth = drawn_apples()
    detector = open_one(min_score=0.3)
    found = detector.detect(image)
    detector.close()
    distance = np.abs(found.boxes[:, None] - truth[None]).max(axis=2)
    assert distance.min(axis=0).max() < 8
    assert distance.min(axis=1).max() < 8
    assert (found.class_ids == 0).sum() >= 7


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_any_size_gives_boxes_inside_the_frame(detector, size):
    """Frames of any size, up to one pixel, give solid boxes inside the frame, best score first, in the agreed types."""
    found = detector.detect(noise(*size))
    height, width = size
    assert (found.boxes.dtype, found.scores.dtype, found.class_ids.dtype) == (np.float32, np.float32, np.int64)
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [width, height, width, height]).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores > LOWEST_SCORE) & (found.scores <= 1)).all()
    assert set(found.class_ids.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_frame_without_content_is_an_ordinary_frame(open_one, value):
    """A black, grey or white frame gives no fruit and no error."""
    detector = open_one(min_score=0.25)
    assert len(detector.detect(np.full((480, 640, 3), value, np.uint8))) == 0
    detector.close()


def test_the_same_frame_gives_the_same_detections(detector):
    """A frame gives the same arrays again, also after frames of another size and shape went through."""
    image = noise(720, 1280)
    first = detector.detect(image)
    assert len(first) > 0
    for size in ((97, 61), (1280, 720), (640, 640)):
        detector.detect(noise(*size))
    assert same(detector.detect(image), first)


def test_a_frame_may_lie_in_memory_in_any_way(detector):
    """Views that are flipped, cropped, thinned out or transposed give what their copies give."""
    image = noise(480, 640)
    views = [image[:, ::-1], image[::-1], image[100:300, 50:600], image[::2, ::3], image.transpose(1, 0, 2)]
    views += [image[:, :, ::-1], image[:640, :640][:480]]
    for view in views:
        assert same(detector.detect(view), detector.detect(np.ascontiguousarray(view)))


def test_a_frame_is_only_read(detector):
    """The frame that goes in is unchanged, and may be read-only."""
    image = noise(480, 640)
    before = image.copy()
    image.setflags(write=False)
    detector.detect(image)
    assert np.array_equal(image, before)


def test_detections_belong_to_the_caller(detector):
    """Detections stay as they are when the next frame goes through, and can be written to."""
    first = detector.detect(noise(480, 640))
    kept = first.boxes.copy()
    detector.detect(drawn_apples()[0])
    assert np.array_equal(first.boxes, kept)
    first.boxes[:] = 0


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 1), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.float32),
        np.zeros((0, 640, 3), np.uint8),
        np.zeros((480, 0, 3), np.uint8),
    ],
    ids=["grey", "grey with an axis", "BGRA", "float", "no rows", "no columns"],
)
def test_other_arrays_are_refused_by_name(detector, image):
    """What is no BGR frame of bytes is refused, and the message says what was found."""
    with pytest.raises(ValueError, match=r"expected a \(H, W, 3\) uint8 BGR image, found \("):
        detector.detect(image)


def test_thresholds_select_from_the_same_detections(open_one, detector):
    """A higher score and a limit leave the head of the list that the lowest threshold gives."""
    image, _ = drawn_apples()
    everything = detector.detect(image)
    strict = open_one(min_score=0.5)
    few = open_one(min_score=LOWEST_SCORE, max_detections=3)
    assert np.array_equal(strict.detect(image).scores, everything.scores[everything.scores > 0.5])
    assert np.array_equal(few.detect(image).boxes, everything.boxes[:3])


def test_threads_do_not_change_what_is_found(open_one):
    """One thread finds the same fruit as the runtime's own choice."""
    image, _ = drawn_apples()
    one, all_of_them = open_one(min_score=0.5, threads=1), open_one(min_score=0.5)
    assert np.allclose(one.detect(image).boxes, all_of_them.detect(image).boxes, atol=0.5)


def test_a_closed_detector_says_so(open_one):
    """Closing twice is fine; a frame after that is refused."""
    detector = open_one()
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match="closed"):
        detector.detect(noise(10, 10))


@pytest.mark.parametrize("wrong", [{"min_score": -0.1}, {"min_score": 1.0}, {"max_detections": 0}, {"nms_iou": 0.0}])
def test_thresholds_out_of_range_are_refused(open_one, wrong):
    """A threshold that can never be meant is refused before anything is loaded."""
    with pytest.raises(ValueError, match="out of range"):
        open_one(**wrong)
