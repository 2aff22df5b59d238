"""Objects that outlive their track ids."""

import numpy as np
import pytest

from agent.analytics.stitching import TrackStitcher
from agent.types import Instant
from tests.analytics.scenes import tracks

SIZE = (1000, 500)
BOX = (40.0, 60.0)


def at(seconds: float, boot: int = 1) -> Instant:
    return Instant(utc_ns=0, monotonic_ns=round(seconds * 1e9), boot=boot)


def watch(frames, *, patience_s: float = 0.0, interval_s: float = 0.2, size=SIZE):
    """Show frames, each a list of (id, class, x), at an even pace; return what each gave."""
    stitcher = TrackStitcher(patience_s=patience_s)
    return [
        stitcher.observe(tracks(*((i, c, (x, 100, *BOX)) for i, c, x in frame)), at(n * interval_s), size)
        for n, frame in enumerate(frames)
    ]


def numbers(sightings) -> list[list[int]]:
    return [[known.number for known in one.seen] for one in sightings]


def test_new_id_where_it_should_be_by_now():
    """An object that goes on behind something and comes out under a new id is the same one."""
    before = [[(1, 0, 100 + 20 * n)] for n in range(5)]
    after = [[(2, 0, 100 + 20 * n)] for n in range(10, 12)]
    assert numbers(watch([*before, *[[]] * 5, *after])) == [[1]] * 5 + [[]] * 5 + [[1]] * 2


@pytest.mark.parametrize(
    ("newcomer", "hidden"),
    [
        ((2, 1, 180), 3),  # of another class
        ((2, 0, 120), 3),  # back where it came from
        ((2, 0, 400), 3),  # too far
        ((2, 0, 200), 1),  # missed for the newcomer's first frame only: both may be there
        ((2, 0, 200), 25),  # after five seconds
    ],
)
def test_others_are_others(newcomer, hidden):
    """A new track of another class, elsewhere, at once or too late is a new object."""
    before = [[(1, 0, 100 + 20 * n)] for n in range(5)]
    assert numbers(watch([*before, *[[]] * (hidden - 1), [newcomer]]))[-1] == [2]


def test_other_size_is_another():
    """What is twice as high cannot be the same."""
    stitcher = TrackStitcher()
    stitcher.observe(tracks((1, 0, (100, 100, 40, 60))), at(0), SIZE)
    stitcher.observe(tracks(), at(0.2), SIZE)
    assert stitcher.observe(tracks((2, 0, (100, 100, 40, 120))), at(0.4), SIZE).seen[0].number == 2


def test_who_stood_and_set_out_unseen_is_found_with_patience():
    """A new track that came from where one vanished is the same object, as soon as its way shows it."""
    before = [[(1, 0, 100)]] * 5
    after = [[(2, 0, 160 + 20 * n)] for n in range(4)]
    seen = watch([*before, [], [], *after], patience_s=0.6)
    assert numbers(seen)[-4:] == [[2], [2], [1], [1]]
    assert [one.merged for one in seen][-4:] == [(), (), (2,), ()]
    assert numbers(watch([*before, [], [], *after]))[-1] == [2]


def test_id_that_comes_back_after_its_object_was_given_away():
    """A tracker may find an old id again: it is the same object still, and the next has a number of its own."""
    frames = [*[[(1, 0, 100)]] * 3, [], [(2, 0, 100)], [(2, 0, 100)], [], [(1, 0, 100)], [(1, 0, 100), (2, 0, 100)]]
    assert numbers(watch(frames)) == [[1], [1], [1], [], [1], [1], [], [1], [1, 4]]  # 2 and 3 were given up


def test_best_fit_wins():
    """Of two that vanished side by side, each gets the new track that is nearest to it."""
    frames = [*[[(1, 0, 100), (2, 0, 130)]] * 3, [], [(3, 0, 128), (4, 0, 103)]]
    assert numbers(watch(frames))[-1] == [2, 1]


def test_gone_is_told_once_and_forgotten():
    """After four seconds, and four frames, an object is gone; memory holds nobody."""
    seen = watch([[(1, 0, 100)], *[[]] * 30])
    assert [n for n, one in enumerate(seen) if one.gone] == [20]
    assert [known.number for known in seen[20].gone] == [1]
    slow = watch([[(1, 0, 100)], *[[]] * 6], interval_s=10)
    assert [n for n, one in enumerate(slow) if one.gone] == [4]


def test_time_that_steps_back_and_new_boots():
    """Time stands still for the stitcher where the clock runs back or starts anew."""
    stitcher = TrackStitcher()
    nows = [stitcher.observe(tracks(), when, SIZE).now_s for when in (at(5), at(6), at(4), at(4.5), at(1, boot=2))]
    assert nows == [0, 1, 1, 1.5, 1.5]


def test_picture_that_changes_its_size():
    """A camera that comes back with half the pixels shows the same objects in the same places."""
    stitcher = TrackStitcher()
    for n in range(3):
        stitcher.observe(tracks((1, 0, (100, 100, 40, 60))), at(n * 0.2), (1000, 500))
    stitcher.observe(tracks(), at(0.8), (500, 250))
    assert stitcher.observe(tracks((2, 0, (50, 50, 20, 30))), at(1), (500, 250)).seen[0].number == 1


def test_memory_is_bounded():
    """Three hundred tracks that pass leave nothing but those of the last seconds."""
    stitcher = TrackStitcher()
    random = np.random.default_rng(1)
    for n in range(300):
        stitcher.observe(tracks((n, 0, (random.uniform(0, 1000), 100, *BOX))), at(n * 0.2), SIZE)
    assert len(stitcher._objects) <= 21


def test_two_newcomers_share_no_past():
    """Where two new tracks would fit one lost object, the better fit is it, and the other is new; both stay known."""
    before = [[(1, 0, 100 + 20 * n)] for n in range(5)]
    after = [[(2, 0, 240 + 20 * n), (3, 0, 246 + 20 * n)] for n in range(3)]
    assert numbers(watch([*before, [], [], *after])) == [[1]] * 5 + [[], []] + [[1, 3]] * 3
