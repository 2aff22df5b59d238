"""When something in the ledger is believed to be a fruit, against values worked out by hand."""

import numpy as np
import pytest

from agent.analytics.row.ledger import Fruit
from agent.analytics.row.view import View

CONFIDENCE = 0.25


def seen(*scores: float) -> Fruit:
    fruit = Fruit(np.array([0.0, 0.0, 9.0, 9.0]), View(0, 0, 100, 100))
    for score in scores:
        fruit.look(score)
    return fruit


def test_moving_mean_of_a_hand_worked_case():
    """0.6, 0.6, 0: a sixth of 0.6 is 0.1; a sixth of the 0.5 to go makes 0.18333; five sixths of that are 0.15278."""
    fruit = seen(0.6, 0.6, 0.0)
    assert (fruit.lately, fruit.best) == pytest.approx((0.6 / 6 + 0.5 / 6 - 0.18333333 / 6, 0.18333333))
    assert (fruit.looks, fruit.hits, fruit.score_sum) == (3, 2, 1.2)


@pytest.mark.parametrize(
    ("scores", "is_fruit"),
    [
        ([0.9], False),  # once
        ([0.3, 0.2], True),  # mean 0.25
        ([0.3, 0.19], False),
        ([0.9, 0.0, 0.0, 0.9, 0.0, 0.0], True),  # mean 0.3
        ([0.6, 0.6, 0.6, *[0.0] * 20], True),  # hidden later: 0.1, 0.18, 0.2528 at best, and clear
        ([0.55, 0.6, 0.6, *[0.0] * 20], False),  # 0.2470 at best
        ([0.8, 0.8, *[0.0] * 20], False),  # 0.2444 at best
        ([0.95, 0.95, *[0.0] * 20], False),  # 0.2903, but twice may be chance
        ([*[0.3] * 12, *[0.0] * 40], False),  # 0.2663 at best, but never clear
    ],
)
def test_belief(scores, is_fruit):
    """Sure on the average of all looks, or clearly seen for a while; nothing else is a fruit."""
    assert seen(*scores).is_believed(CONFIDENCE) is is_fruit
