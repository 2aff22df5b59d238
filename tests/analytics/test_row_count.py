"""The fruit count of a row, on drawn rows whose fruit are known, and on the real model and video."""

import numpy as np
import pytest

from agent.analytics.row import PassRecord, RowCount
from agent.config import RowConfig
from agent.types import ANY, Event, Findings, Frame, Image, Instant, Tracks
from tests.analytics.row_walk import walk
from tests.analytics.test_row_motion import scenery, window

NAMES = ("apple", "pear")
WIDE = scenery(1)
SIDE = 60


class Row:
    """A row of fruit at known places, and a camera that can be put anywhere along it."""

    def __init__(self, places: list[tuple[int, int]], config: RowConfig | None = None) -> None:
        self.count = RowCount(config or RowConfig(), "north", NAMES, record=PassRecord())
        self.places, self.measures, self.events, self.frames = places, 0, [], 0

    def look(
        self, x: float, *, ids: dict[int, int] | None = None, hidden: set[int] = frozenset(), wide: Image = WIDE
    ) -> None:
        """Show the picture from ``x`` on; ``ids`` gives fruit other tracks than their own number."""
        boxes = {n: (a - x, b, a - x + SIDE, b + SIDE) for n, (a, b) in enumerate(self.places)}
        shown = {n: box for n, box in boxes.items() if box[0] >= 0 and box[2] <= 1280 and n not in hidden}
        n = len(shown)
        tracks = Tracks(
            np.array([(ids or {}).get(number, number + 1) for number in shown], np.int64),
            np.array(list(shown.values()), np.float32).reshape(-1, 4),
            np.full(n, 0.8, np.float32),
            np.zeros(n, np.int64),
            np.zeros(n, np.bool_),
        )
        at = Instant(0, self.frames * 10**8, 1)
        self.take(self.count.observe(Frame("north", self.frames, at, window(wide, x, 0)), tracks, observed_ns=10**8))
        self.frames += 1

    def take(self, findings: Findings) -> None:
        self.measures += len(findings.measures)
        self.events += findings.events

    def finish(self) -> list[Event]:
        self.take(self.count.finish(Instant(0, self.frames * 10**8, 1)))
        return [event for event in self.events if event.data["class"] == ANY]


ROW = [(100, 100), (170, 110), (500, 300), (900, 80), (1400, 200), (1465, 210), (1900, 400)]


def test_each_fruit_counts_once():
    """Seven fruit, two pairs of them close together, are seven readings and a count of seven."""
    row = Row(ROW)
    for x in range(0, 1100, 20):
        row.look(x)
    report = row.finish()
    assert row.measures == len(ROW)
    assert [event.data["found"] for event in report] == [len(ROW)]
    assert report[0].data["length_px"] == pytest.approx(1280 + 1080, abs=10)


def test_broken_tracks_are_the_same_fruit():
    """Tracks that end and begin again under another id, also after a pause, count nothing again."""
    row = Row(ROW)
    for number, x in enumerate(range(0, 1100, 20)):
        renamed = {fruit: fruit + 100 * (number // 10) for fruit in range(len(ROW))}
        row.look(x, ids=renamed, hidden={number % 7} if number % 10 > 6 else set())
    row.finish()
    assert row.measures == len(ROW)


def test_standing_and_going_back_count_nothing_again():
    """A camera that goes, rests, goes back out of sight of what it found and comes again, counts each fruit once."""
    row = Row(ROW)
    way = [*range(0, 1100, 25), *[1075] * 20, *range(1075, 300, -25), *range(300, 1100, 25)]
    for number, x in enumerate(way):
        row.look(x, ids={fruit: fruit + 100 * (number // 15) for fruit in range(len(ROW))})
    row.finish()
    assert row.measures == len(ROW)


def test_track_that_goes_over_to_another_fruit_counts_both():
    """An id that one fruit loses and another takes over hides neither."""
    row = Row([(300, 100), (600, 100)])
    for x in range(0, 200, 20):
        row.look(x, hidden={1}, ids={0: 1})
    for x in range(200, 400, 20):
        row.look(x, hidden={0}, ids={1: 1})
    row.finish()
    assert row.measures == 2


def test_flicker_is_no_fruit():
    """What is seen in one look of ten does not count."""
    row = Row(ROW)
    for number, x in enumerate(range(0, 1100, 20)):
        row.look(x, hidden={2} if number % 10 else set())
    row.finish()
    assert row.measures == len(ROW) - 1


def test_cut_begins_another_tree():
    """After a cut other fruit are seen, of another segment, even where one hangs in a place as before."""
    row = Row(ROW[:4])
    for wide, places in ((WIDE, ROW[:4]), (scenery(2), [ROW[0], (650, 500), (260, 320), (1000, 330), (820, 20)])):
        row.places = places
        for x in range(0, 100, 20):
            row.look(x, wide=wide)
    assert [(event.data["segment"], event.data["found"]) for event in row.finish()] == [(1, 4), (2, 5)]


def test_metres_are_reported_when_they_are_behind():
    """By metre each piece has its fruit, one without fruit too, and is reported when it is far behind."""
    row = Row([(100, 100), (170, 110), (500, 300), (900, 80)], RowConfig(per="metre", metres_per_pixel=0.0025))
    for x in range(0, 1100, 20):
        row.look(x)
    reports = row.finish()
    assert [event.data["found"] for event in reports] == [2, 1, 1, 0, 0, 0]
    assert [event.data["length_m"] for event in reports[:5]] == [1.0] * 5
    assert sum(int(event.data["found"]) for event in reports) == row.measures


def test_share_that_can_be_seen_is_shown_and_applied():
    """What a camera cannot see is made up for beside the count, never within it."""
    row = Row(ROW, RowConfig(visible_share=0.5))
    for x in range(0, 1100, 20):
        row.look(x)
    data = row.finish()[0].data
    assert (data["count"], data["visible_share"], data["corrected"]) == (7, 0.5, 14)


def test_classes_are_reported_each():
    """Beside the report of all there is one for each class that was found."""
    row = Row(ROW)
    row.look(0)
    row.finish()
    assert [event.data["class"] for event in row.events] == [ANY, "apple"]


def test_class_without_a_name_is_refused():
    """A class index that the model does not know is no fruit."""
    at = Instant(0, 0, 1)
    box, one = np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.int64)
    tracks = Tracks(one, box, np.ones(1, np.float32), 5 * one, np.ones(1, np.bool_))
    with pytest.raises(ValueError, match="class index: found 5"):
        RowCount(RowConfig(), "north", NAMES).observe(Frame("north", 0, at, window(WIDE, 0, 0)), tracks, observed_ns=0)


@pytest.mark.parametrize("seed", [1, 3])
def test_simulated_row_with_a_faulty_detector(seed: int):
    """With 10% missed, 5% made up and trembling boxes, at changing speed and with stops, the count is within 3%."""
    walked = walk(seed)
    assert abs(walked.counted / walked.truth - 1) <= 0.03
    assert walked.reported == walked.counted
    assert walked.length_px == pytest.approx(walked.true_length_px, rel=0.01)
    assert walked.track_ids > 1.5 * walked.truth  # what would be counted without the ledger
