"""The simulated orchard: the same for the same seed, true to its truth, and fruit to a detector."""

from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.capture import replay
from agent.capture.orchard import Orchard, OrchardSpec, parse_orchard
from agent.clock import ManualClock
from agent.config import CameraConfig
from agent.detection import Detector, open_detector
from agent.errors import ConfigError

SMALL = OrchardSpec(seed=3, width=320, height=180, speed=100, fruit="mixed")


@pytest.fixture(scope="module")
def orchard() -> Orchard:
    return Orchard(SMALL)


def test_same_seed_same_pixels(orchard: Orchard) -> None:
    """Two orchards of one spec draw the same frames and know the same truth, in whatever order they are asked."""
    other = Orchard(SMALL)
    other.frame(90)
    for index in (40, 7):
        assert np.array_equal(orchard.frame(index), other.frame(index))
        mine, theirs = orchard.truth(index), other.truth(index)
        assert np.array_equal(mine.boxes, theirs.boxes)
        assert np.array_equal(mine.ids, theirs.ids)
        assert np.array_equal(mine.visible, theirs.visible)


def test_another_seed_is_another_orchard(orchard: Orchard) -> None:
    """Another seed draws other trees."""
    other = Orchard(OrchardSpec(seed=4, width=320, height=180, speed=100, fruit="mixed"))
    assert len(orchard.truth(0).ids) != len(other.truth(0).ids) or not np.array_equal(
        orchard.truth(0).boxes, other.truth(0).boxes
    )


def test_fruit_moves_with_its_tree(orchard: Orchard) -> None:
    """From frame to frame each fruit keeps its id and class and moves with the camera's speed, all alike."""
    frames = [orchard.truth(index) for index in range(5)]
    for before, after in pairwise(frames):
        same, i, j = np.intersect1d(before.ids, after.ids, return_indices=True)
        assert len(same) > 5
        assert np.array_equal(before.class_ids[i], after.class_ids[j])
        inside = (before.boxes[i, 0] > 20) & (before.boxes[i, 2] < 300)
        moved = before.boxes[i][inside] - after.boxes[j][inside]
        assert np.allclose(moved, [10, 0, 10, 0])


def test_every_fruit_has_one_life(orchard: Orchard) -> None:
    """Over a long walk each id is in view once, from right to left, and never comes back."""
    seen: dict[int, list[int]] = {}
    for index in range(0, 400, 4):
        for fruit in orchard.truth(index).ids.tolist():
            seen.setdefault(fruit, []).append(index)
    assert len(seen) > 100
    assert all(frames == list(range(frames[0], frames[-1] + 1, 4)) for frames in seen.values())


def test_truth_is_well_formed(orchard: Orchard) -> None:
    """Boxes are not empty and lie within the frame; shares are in [0, 1]; ids differ; classes are the model's."""
    classes = set()
    for index in range(0, 300, 30):
        truth = orchard.truth(index)
        assert truth.boxes.dtype == np.float32
        assert truth.boxes.shape == (len(truth.ids), 4)
        assert (truth.boxes >= 0).all()
        assert (truth.boxes <= [320, 180, 320, 180]).all()
        assert (truth.boxes[:, 2:] > truth.boxes[:, :2]).all()
        assert (truth.visible >= 0).all()
        assert (truth.visible <= 1).all()
        assert len(set(truth.ids.tolist())) == len(truth.ids)
        classes |= set(truth.class_ids.tolist())
    assert classes == {0, 1, 2}


def test_visible_share_is_what_is_seen() -> None:
    """The visible share falls to 0 as fruit leaves the frame, and moving leaves change it a little."""
    standing = Orchard(OrchardSpec(width=320, height=180, speed=0))
    shares = np.array([standing.truth(index).visible for index in range(0, 40, 5)])
    assert (shares.max(axis=0) - shares.min(axis=0) > 0).any()
    assert (shares.max(axis=0) > 0.6).sum() > 5
    walking = Orchard(OrchardSpec(width=320, height=180, speed=40, fps=10))
    leaving = int(walking.truth(0).ids[np.argmin(walking.truth(0).boxes[:, 0])])
    last = [
        float(truth.visible[truth.ids == leaving][0])
        for truth in map(walking.truth, range(200))
        if leaving in truth.ids
    ]
    assert last[-1] < 0.35


def test_frames_change_with_the_light() -> None:
    """A standing camera sees the light change, the leaves sway and the sensor's noise, and nothing jump."""
    standing = Orchard(OrchardSpec(width=320, height=180, speed=0))
    means = [float(standing.frame(index).mean()) for index in range(0, 400, 20)]
    assert 3 < max(means) - min(means) < 80
    steps = [np.abs(standing.frame(i).astype(int) - standing.frame(i + 1).astype(int)).mean() for i in range(3)]
    assert all(1 < step < 12 for step in steps)


def test_as_a_camera() -> None:
    """Through capture, ``Frame.index`` is the frame's number in the truth, whatever the sampling."""
    camera = CameraConfig(name="cam", source="sim:orchard?seed=3&width=320&height=180&fps=10", fps=5)
    frames = replay(camera, ManualClock())
    orchard = Orchard(OrchardSpec(seed=3, width=320, height=180, fps=10))
    for index in (0, 2, 4):
        frame = next(frames)
        assert frame.index == index
        assert frame.captured.monotonic_ns == index * 100_000_000
        assert np.array_equal(frame.image, orchard.frame(index))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("sim:vineyard", "found 'sim:vineyard'; allowed: sim:orchard"),
        ("sim:orchard?sede=1", "unknown parameter 'sede'; allowed: seed, fps, width, height, speed, fruit"),
        ("sim:orchard?seed=1&seed=2", "seed: found twice"),
        ("sim:orchard?fps=0", "fps: found '0'; allowed: a number from 0.1 to 60"),
        ("sim:orchard?fps=nan", "fps: found 'nan'"),
        ("sim:orchard?width=wide", "width: found 'wide'; allowed: a whole number from 160 to 1920"),
        ("sim:orchard?speed=", "speed: found ''"),
        ("sim:orchard?fruit=plum", "fruit: found 'plum'; allowed: apple, cherry, pear, mixed"),
    ],
)
def test_bad_parameters(address: str, message: str) -> None:
    """A wrong parameter is refused; the message names it, what was found and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        parse_orchard(address)
    assert message in str(caught.value)


@given(query=st.text(max_size=60))
@settings(max_examples=50)
def test_any_address_is_read_or_refused(query: str) -> None:
    """Whatever follows the question mark, the address is read or refused with a ConfigError."""
    with suppress(ConfigError):
        assert isinstance(parse_orchard(f"sim:orchard?{query}"), OrchardSpec)


@pytest.fixture(scope="module")
def detector() -> Iterator[Detector]:
    """The bundled model, as the agent shows confident detections."""
    with closing(open_detector(None, min_score=0.25)) as opened:
        yield opened


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return (len(a), len(b)) intersection over union."""
    size = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2]), 0, None)
    shared = size.prod(axis=2)
    areas = [(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) for boxes in (a, b)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


@pytest.mark.parametrize(("fruit", "least_recall"), [("apple", 0.9), ("pear", 0.65), ("cherry", 0.6)])
def test_the_model_finds_the_fruit(detector: Detector, fruit: str, least_recall: float) -> None:
    """The bundled model, trained on photographs, finds drawn fruit of which most is visible, and little else."""
    orchard = Orchard(OrchardSpec(fruit=fruit))
    found = clear = wrong = total = 0
    for index in (0, 60, 130, 220):
        truth, detections = orchard.truth(index), detector.detect(orchard.frame(index))
        matches = overlaps(truth.boxes, detections.boxes)
        clearly = truth.visible >= 0.6
        found += int((matches[clearly].max(axis=1, initial=0) >= 0.5).sum())
        clear += int(clearly.sum())
        wrong += int((matches.max(axis=0, initial=0) < 0.3).sum())
        total += len(detections)
    assert found / clear >= least_recall
    assert wrong / total <= 0.2
