"""Hand-made tracks."""

import numpy as np

from agent.types import Tracks


def tracks(*rows: tuple[int, int, tuple[float, float, float, float]], score: float = 0.5) -> Tracks:
    """Rows of id, class, and a box by centre x, centre y, width, height."""
    n = len(rows)
    shapes = np.array([row[2] for row in rows], np.float64).reshape(-1, 4)
    boxes = np.hstack([shapes[:, :2] - shapes[:, 2:] / 2, shapes[:, :2] + shapes[:, 2:] / 2])
    return Tracks(
        track_ids=np.array([row[0] for row in rows], np.int64),
        boxes=boxes.astype(np.float32),
        scores=np.full(n, score, np.float32),
        class_ids=np.array([row[1] for row in rows], np.int64),
        fresh=np.zeros(n, np.bool_),
    )
