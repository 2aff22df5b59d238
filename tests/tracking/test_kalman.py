"""The Kalman filter, against values worked by hand and against the eight-dimensional matrices it stands for."""

import numpy as np
import pytest

from agent.tracking import kalman

BOX = np.array([[10, 20, 30, 60]], np.float32)  # x 20, y 40, a 0.5, h 40


def test_first_sight_by_hand():
    """A box seen once rests at its centre, with doubt in proportion to its height, and in a alone absolute."""
    belief = kalman.initiate(BOX)
    assert belief.position.tolist() == [[20, 40, 0.5, 40]]
    assert belief.velocity.tolist() == [[0, 0, 0, 0]]
    assert belief.var_position == pytest.approx(np.array([[16, 16, 1e-4, 16]]))  # (2 * 40 / 20)²
    assert belief.covariance.tolist() == [[0, 0, 0, 0]]
    assert belief.var_velocity == pytest.approx(np.array([[6.25, 6.25, 1e-10, 6.25]]))  # (10 * 40 / 160)²


def test_prediction_and_update_by_hand():
    """One step and a measurement 10 px to the right move the centre by 26.25/30.25 of it and start a velocity."""
    predicted = kalman.predict(kalman.initiate(BOX), 1)
    assert predicted.var_position[0, 0] == pytest.approx(16 + 6.25 + 4)  # + (40 / 20)²
    assert predicted.covariance[0, 0] == pytest.approx(6.25)
    assert predicted.var_velocity[0, 0] == pytest.approx(6.25 + 0.0625)  # + (40 / 160)²
    updated = kalman.update(predicted, BOX + np.array([10, 0, 10, 0], np.float32))
    gain = 26.25 / (26.25 + 4)
    assert updated.position[0, 0] == pytest.approx(20 + 10 * gain)
    assert updated.velocity[0, 0] == pytest.approx(10 * 6.25 / 30.25)
    assert updated.var_position[0, 0] == pytest.approx(26.25 * (1 - gain))
    assert updated.covariance[0, 0] == pytest.approx(6.25 * (1 - gain))
    assert updated.var_velocity[0, 0] == pytest.approx(6.3125 - 6.25**2 / 30.25)
    assert updated.position[0, 1:] == pytest.approx([40, 0.5, 40])


def test_boxes_come_back():
    """The belief of boxes seen once shows these boxes."""
    boxes = np.array([[0, 0, 1, 1], [-5, 7, 100, 9], [300.5, 20.25, 333, 700]], np.float32)
    assert kalman.initiate(boxes).boxes() == pytest.approx(boxes, abs=1e-4)


def test_four_small_filters_are_the_large_one():
    """Over predictions and updates, every number equals that of the textbook filter with 8x8 matrices."""
    random = np.random.default_rng(5)
    truth = random.uniform(50, 500, (7, 2))
    sides = random.uniform(20, 90, (7, 2))
    belief = kalman.initiate(_boxes(truth, sides))
    mean, covariance = _large_state(belief)
    for _ in range(12):
        truth += random.normal(3, 1, truth.shape)
        sides *= random.uniform(0.97, 1.03, sides.shape)
        belief = kalman.predict(belief, 1)
        mean, covariance = _large_predict(mean, covariance)
        belief = kalman.update(belief, _boxes(truth, sides))
        mean, covariance = _large_update(mean, covariance, _boxes(truth, sides))
        small_mean, small_covariance = _large_state(belief)
        assert small_mean == pytest.approx(mean)
        assert small_covariance == pytest.approx(covariance)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_one_long_step_is_many_short_ones(steps):
    """A prediction over n frames equals n predictions over one, while the height stays."""
    belief = kalman.update(kalman.predict(kalman.initiate(BOX), 1), BOX + np.float32([[8, -3, 8, -3]]))
    short = belief
    for _ in range(steps):
        short = kalman.predict(short, 1)
    for one, many in zip(_large_state(kalman.predict(belief, steps)), _large_state(short), strict=True):
        assert one == pytest.approx(many, rel=1e-6)


def test_doubt_grows_between_whole_frames():
    """A step of any length gives a valid covariance, and a longer one never less doubt."""
    belief = kalman.predict(kalman.initiate(BOX), 1)
    doubts = []
    for steps in np.linspace(0.05, 3, 60):
        later = kalman.predict(belief, float(steps))
        doubts.append(later.var_position[0, 0])
        assert (later.var_position * later.var_velocity > later.covariance**2).all()
    assert doubts == sorted(doubts)


def test_shrinking_box_stays_a_box():
    """A box that shrinks fast is not turned inside out by a long prediction."""
    shrinking = kalman.update(kalman.predict(kalman.initiate(BOX), 1), np.array([[18, 38, 22, 42]], np.float32))
    x1, y1, x2, y2 = kalman.predict(shrinking, 500).boxes()[0]
    assert x2 >= x1
    assert y2 >= y1


def test_no_boxes():
    """Without boxes each step gives none."""
    nothing = np.zeros((0, 4), np.float32)
    assert len(kalman.update(kalman.predict(kalman.initiate(nothing), 1), nothing)) == 0


def _boxes(centres: np.ndarray, sides: np.ndarray) -> np.ndarray:
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype(np.float32)


def _large_state(belief: kalman.Belief) -> tuple[np.ndarray, np.ndarray]:
    mean = np.concatenate([belief.position, belief.velocity], axis=1)
    covariance = np.zeros((len(belief), 8, 8))
    index = np.arange(4)
    covariance[:, index, index] = belief.var_position
    covariance[:, index, index + 4] = covariance[:, index + 4, index] = belief.covariance
    covariance[:, index + 4, index + 4] = belief.var_velocity
    return mean, covariance


def _stds(height: np.ndarray, weight: float, aspect: float) -> np.ndarray:
    stds = np.tile(height[:, np.newaxis] * weight, 4)
    stds[:, 2] = aspect
    return stds


def _large_predict(mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    motion = np.eye(8) + np.eye(8, k=4)
    height = mean[:, 3]
    stds = np.concatenate([_stds(height, 1 / 20, 1e-2), _stds(height, 1 / 160, 1e-5)], axis=1)
    noise = np.stack([np.diag(row**2) for row in stds])
    return mean @ motion.T, motion @ covariance @ motion.T + noise


def _large_update(mean: np.ndarray, covariance: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    look = np.eye(4, 8)
    noise = np.stack([np.diag(row**2) for row in _stds(mean[:, 3], 1 / 20, 1e-1)])
    gain = covariance @ look.T @ np.linalg.inv(look @ covariance @ look.T + noise)
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    measured = np.stack([(x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / (y2 - y1), y2 - y1], axis=1)
    mean = mean + (gain @ (measured - mean[:, :4])[:, :, np.newaxis])[:, :, 0]
    return mean, covariance - gain @ look @ covariance
