"""Objects that move, and those that stand."""

import numpy as np

from agent.motion import MovingObjects
from agent.types import Tracks


def tracks(**boxes: tuple[float, float, float, float]) -> Tracks:
    """Tracks of ids 1, 2, ... by their boxes."""
    n = len(boxes)
    values = np.array(list(boxes.values()), np.float32).reshape(-1, 4)
    return Tracks(np.arange(1, n + 1), values, np.ones(n, np.float32), np.zeros(n, np.int64), np.zeros(n, np.bool_))


def test_what_stands_does_not_move():
    """A box that trembles by a twentieth of its size stands, however long."""
    rng, moving = np.random.default_rng(1), MovingObjects()
    for _ in range(200):
        x, y = 100 + rng.uniform(-5, 5, 2)
        assert moving.among(tracks(a=(x, y, x + 100, y + 100)), 400, 400).shape == (0, 4)


def test_what_moves_is_told_with_the_way_it_took():
    """An object is told when it has left its place by a quarter of its size, with that place; the other is not."""
    moving = MovingObjects()
    stood = (300, 300, 340, 340)
    assert len(moving.among(tracks(a=(0, 0, 100, 100), b=stood), 400, 400)) == 0
    assert len(moving.among(tracks(a=(20, 0, 120, 100), b=stood), 400, 400)) == 0
    assert moving.among(tracks(a=(40, 0, 140, 100), b=stood), 400, 400).tolist() == [[0, 0, np.float32(0.35), 0.25]]
    assert len(moving.among(tracks(a=(40, 0, 140, 100), b=stood), 400, 400)) == 0


def test_no_tracks():
    """A frame without tracks has nothing that moves, and forgets those that were there."""
    moving = MovingObjects()
    moving.among(tracks(a=(0, 0, 100, 100)), 400, 400)
    assert moving.among(tracks(), 400, 400).shape == (0, 4)
    assert moving.among(tracks(a=(90, 90, 190, 190)), 400, 400).shape == (0, 4)
