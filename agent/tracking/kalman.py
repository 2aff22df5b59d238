"""A constant-velocity Kalman filter over many boxes at once.

The state of a box is its centre ``x, y``, its aspect ratio ``a`` (width by height), its height ``h``, and the velocity
of each per nominal frame, as in DeepSORT and ByteTrack. The eight-dimensional filter of these references starts with a
diagonal covariance, and neither its motion, its noise nor its measurement ever ties one of the four to another: it is
four filters of two dimensions, position and velocity. They are written out here, element by element, so that a step
over all boxes is a handful of array operations and no matrix is inverted. A test holds it against the reference.

Source: Wojke et al., Simple Online and Realtime Tracking with a Deep Association Metric (arXiv:1703.07402): the state
and the weights of the noise.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agent.types import Boxes

Floats = NDArray[np.float64]
"""(T, 4) float64, columns x, y, a, h, in pixels and a ratio."""

_POSITION_WEIGHT = 1 / 20  # standard deviations of x, y and h are this part of the height
_VELOCITY_WEIGHT = 1 / 160
_ASPECT_POSITION_STD = 1e-2  # a has no unit, so its noise is absolute
_ASPECT_VELOCITY_STD = 1e-5
_ASPECT_MEASURED_STD = 1e-1
_LEAST = 1e-3  # keeps a box a box when a shrinking one is predicted far ahead


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """What the filter believes of T boxes; each array (T, 4) float64, columns x, y, a, h."""

    position: Floats
    velocity: Floats  # per nominal frame
    var_position: Floats
    covariance: Floats  # of position with velocity
    var_velocity: Floats

    def __len__(self) -> int:
        """Return T."""
        return len(self.position)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the belief of these rows only."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def replaced(self, rows: NDArray[np.intp], other: Self) -> Self:
        """Return this belief with ``rows`` replaced by the rows of another."""
        copy = type(self)(*(getattr(self, field.name).copy() for field in fields(self)))
        for field in fields(self):
            getattr(copy, field.name)[rows] = getattr(other, field.name)
        return copy

    def followed_by(self, other: Self) -> Self:
        """Return this belief with the rows of another below it."""
        return type(self)(
            *(np.concatenate([getattr(self, field.name), getattr(other, field.name)]) for field in fields(self))
        )

    def boxes(self) -> Boxes:
        """Return (T, 4) float32 xyxy, pixels."""
        x, y, aspect, height = self.position.T
        half_width, half_height = aspect * height / 2, height / 2
        corners = [x - half_width, y - half_height, x + half_width, y + half_height]
        return np.stack(corners, axis=1).astype(np.float32)


def initiate(boxes: Boxes) -> Belief:
    """Return the belief of boxes seen once: at rest, with wide doubt.

    Args:
        boxes: (T, 4) float32 xyxy of positive width and height.
    """
    position = _measured(boxes)
    height = position[:, 3]
    return Belief(
        position=position,
        velocity=np.zeros_like(position),
        var_position=_variance(2 * _POSITION_WEIGHT * height, _ASPECT_POSITION_STD),
        covariance=np.zeros_like(position),
        var_velocity=_variance(10 * _VELOCITY_WEIGHT * height, _ASPECT_VELOCITY_STD),
    )


def predict(belief: Belief, steps: float) -> Belief:
    """Move boxes on by a number of nominal frames.

    For a whole number this equals as many single steps of the reference with the noise of the height at the start; in
    between, the sums of its noise over the steps are continued as polynomials of ``steps``.

    Args:
        belief: Of T boxes.
        steps: Nominal frames that have passed, more than 0, not always whole: frames are dropped and late.

    Returns:
        The belief of the same boxes later, less certain.
    """
    height = belief.position[:, 3]
    noise = _variance(_POSITION_WEIGHT * height, _ASPECT_POSITION_STD)
    drift = _variance(_VELOCITY_WEIGHT * height, _ASPECT_VELOCITY_STD)
    position = belief.position + steps * belief.velocity
    position[:, 2:] = np.maximum(position[:, 2:], _LEAST)
    return Belief(
        position=position,
        velocity=belief.velocity,
        var_position=(
            belief.var_position
            + 2 * steps * belief.covariance
            + steps**2 * belief.var_velocity
            + steps * noise
            + (steps - 1) * steps * (2 * steps - 1) / 6 * drift
        ),
        covariance=belief.covariance + steps * belief.var_velocity + (steps - 1) * steps / 2 * drift,
        var_velocity=belief.var_velocity + steps * drift,
    )


def update(belief: Belief, boxes: Boxes) -> Belief:
    """Correct predicted boxes by what was measured.

    Args:
        belief: Of T boxes, predicted.
        boxes: (T, 4) float32 xyxy of positive width and height: the measurement of each.

    Returns:
        The corrected belief, more certain.
    """
    innovation = _measured(boxes) - belief.position
    height = belief.position[:, 3]
    total = belief.var_position + _variance(_POSITION_WEIGHT * height, _ASPECT_MEASURED_STD)
    gain_position = belief.var_position / total
    gain_velocity = belief.covariance / total
    return Belief(
        position=belief.position + gain_position * innovation,
        velocity=belief.velocity + gain_velocity * innovation,
        var_position=(1 - gain_position) * belief.var_position,
        covariance=(1 - gain_position) * belief.covariance,
        var_velocity=belief.var_velocity - gain_velocity * belief.covariance,
    )


def _measured(boxes: Boxes) -> Floats:
    x1, y1, x2, y2 = boxes.astype(np.float64).T
    width, height = x2 - x1, y2 - y1
    return np.stack([(x1 + x2) / 2, (y1 + y2) / 2, width / height, height], axis=1)


def _variance(std: NDArray[np.float64], aspect_std: float) -> Floats:
    stds = np.repeat(std[:, np.newaxis], 4, axis=1)
    stds[:, 2] = aspect_std
    return np.square(stds)
