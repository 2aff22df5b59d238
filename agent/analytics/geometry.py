"""Points, lines, polygons and planes of a picture.

Pixels have x to the right and y down, so what is right of a direction in the picture is at positive angles from it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.config import Anchor

Floats = NDArray[np.float64]

_INSIDE_PX = 0.5  # a box is clipped to the picture; its anchor is kept this far inside the border
_ON_BORDER = 1e-3  # shares of the picture: a side drawn this near to the border lies on it


def anchors(boxes: Floats, anchor: Anchor) -> Floats:
    """Return the anchor of each box.

    Args:
        boxes: (N, 4) xyxy, any unit.
        anchor: The box's centre, or the middle of its lower side.

    Returns:
        (N, 2), the same unit.
    """
    across = (boxes[:, 0] + boxes[:, 2]) / 2
    down = (boxes[:, 1] + boxes[:, 3]) / 2 if anchor == "centre" else boxes[:, 3]
    return np.stack([across, down], axis=1)


def inside_picture(points: Floats, size: tuple[int, int]) -> Floats:
    """Return points (N, 2), pixels, with those on or beyond the border moved to just inside a picture of (W, H)."""
    return np.clip(points, _INSIDE_PX, np.subtract(size, _INSIDE_PX))


def extents(boxes: Floats, normals: Floats) -> Floats:
    """Return how far each box reaches along a direction.

    Args:
        boxes: (N, 4) xyxy, pixels.
        normals: (N, 2) or (2,), directions of length 1.

    Returns:
        (N,) pixels: the length of the box's shadow on a line of that direction.
    """
    return np.asarray((np.abs(normals) * (boxes[:, 2:] - boxes[:, :2])).sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A directed piece of a line, ``start`` to ``end``, (2,) each, pixels, not the same."""

    start: Floats
    end: Floats

    @property
    def normal(self) -> Floats:
        """Return the direction to its right, of length 1."""
        along = self.end - self.start
        return np.asarray(np.array([-along[1], along[0]]) / np.hypot(*along))

    def right_of(self, points: Floats) -> Floats:
        """Return how far each point (N, 2) lies to the right of the whole line; negative to its left; (N,) pixels."""
        return np.asarray((points - self.start) @ self.normal)

    def is_crossed(self, before: Floats, after: Floats) -> bool:
        """Tell whether the way between two points (2,) leads from one side of the line to the other between its ends.

        Source: similar triangles; the way meets the line where it is shared in the ratio of the two distances.
        """
        first, second = self.right_of(np.stack([before, after]))
        if first * second >= 0:
            return False
        met = before + (after - before) * first / (first - second)
        along = self.end - self.start
        return bool(0 <= (met - self.start) @ along <= along @ along)


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """The polygon of a zone in a picture of a certain size.

    ``corners``: (E, 2) pixels. ``real``: (E,) which sides, each from its corner to the next, are edges that an object
    can pass: those on the picture's border are not.
    """

    corners: Floats
    real: NDArray[np.bool_]

    @classmethod
    def in_picture(cls, shares: Floats, size: tuple[int, int]) -> "Polygon":
        """Return the polygon with corners (E, 2), as shares of the picture's width and height, in a picture (W, H)."""
        following = np.roll(shares, -1, axis=0)
        low = (shares < _ON_BORDER) & (following < _ON_BORDER)
        high = (shares > 1 - _ON_BORDER) & (following > 1 - _ON_BORDER)
        return cls(shares * size, np.asarray(~(low | high).any(axis=1)))

    @property
    def thickness(self) -> float:
        """Return area by outline, pixels. A circle of this radius fits into every convex polygon.

        Source: a strip of width t along the outline of length P covers at most tP, so at t = A / P something is left.
        """
        along = np.roll(self.corners, -1, axis=0) - self.corners
        area = cv2.contourArea(self.corners.astype(np.float32))
        return area / float(np.hypot(along[:, 0], along[:, 1]).sum())

    def depths(self, points: Floats) -> tuple[Floats, Floats]:
        """Return how deep points lie inside, and across which edge.

        Args:
            points: (N, 2) pixels.

        Returns:
            (N,) pixels from the nearest real edge, negative outside, infinite where there is none; and (N, 2) the
            directions across these edges, of length 1.

        Source: even-odd rule, M. Shimrat, Algorithm 112, CACM 5 (1962); distance by projection on each side.
        """
        along = np.roll(self.corners, -1, axis=0) - self.corners
        offsets = points[:, np.newaxis] - self.corners
        shares = np.clip((offsets * along).sum(axis=2) / (along * along).sum(axis=1), 0, 1)
        gaps = offsets - shares[:, :, np.newaxis] * along
        distances = np.where(self.real, np.hypot(gaps[:, :, 0], gaps[:, :, 1]), np.inf)
        nearest = distances.argmin(axis=1)
        normals = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(along[:, 0], along[:, 1])[:, np.newaxis]
        sign = np.where(self._contains(points), 1.0, -1.0)
        return sign * distances.min(axis=1), normals[nearest]

    def _contains(self, points: Floats) -> NDArray[np.bool_]:
        """Return (N,) whether a ray from each point to the right passes an odd number of sides."""
        x, y = points[:, 0, np.newaxis], points[:, 1, np.newaxis]
        (ax, ay), (bx, by) = self.corners.T, np.roll(self.corners, -1, axis=0).T
        level = by == ay
        met = ax + (bx - ax) * (y - ay) / np.where(level, 1, by - ay)
        passed = ((ay > y) != (by > y)) & (x < met)
        return np.asarray(passed.sum(axis=1) % 2 == 1)


def distance_between(a: Floats, b: Floats, c: Floats, d: Floats) -> float:
    """Return the least distance of the straight ways from a to b and from c to d, (2,) each; 0 where they cross.

    A way may be a single point.

    Source: Ericson, Real-Time Collision Detection, 2005, section 5.1.9: apart in the plane, one end is nearest.
    """
    if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
        return 0.0
    return min(_distance(a, c, d), _distance(b, c, d), _distance(c, a, b), _distance(d, a, b))


def _turn(a: Floats, b: Floats, c: Floats) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _distance(point: Floats, a: Floats, b: Floats) -> float:
    along, offset = b - a, point - a
    length = float(along @ along)
    share = min(max(float(offset @ along) / length, 0.0), 1.0) if length else 0.0
    return float(np.hypot(*(offset - share * along)))


def ground_plane(corners: Floats, size_m: tuple[float, float]) -> Floats:
    """Return the homography that takes the picture of a rectangle to the rectangle, metres.

    Args:
        corners: (4, 2) of the rectangle as it is seen, convex, any unit.
        size_m: Length of its first side, corner 1 to 2, and of the second, 2 to 3.

    Returns:
        (3, 3): corner 1 becomes (0, 0), corner 3 becomes ``size_m``.

    Source: Hartley and Zisserman, Multiple View Geometry, 2nd edition, section 4.1: four points fix it.
    """
    first, second = size_m
    rectangle = np.array([(0, 0), (first, 0), (first, second), (0, second)], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), rectangle), np.float64)


def on_ground(points: Floats, homography: Floats) -> Floats:
    """Return where points (N, 2) of the picture are on the plane, (N, 2) metres."""
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def velocity(times_s: Floats, points: Floats) -> Floats:
    """Return the constant velocity that fits a way best, in the sense of least squares.

    Args:
        times_s: (N,) at least two different ones.
        points: (N, 2), any unit.

    Returns:
        (2,) units a second.

    Source: slope of the linear regression on time, Legendre 1805: sum((t - mean t) p) / sum((t - mean t)^2).
    """
    late = times_s - times_s.mean()
    return np.asarray(late @ points / (late @ late))
