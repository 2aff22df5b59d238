"""The fruit count of a row, on drawn rows whose fruit are known, and on the real model and video."""

from collections import Counter

import numpy as np
import pytest

from agent.analytics.row import PassRecord, RowCount
from agent.config import RowConfig
from agent.types import ANY, Detections, Event, Findings, Frame, Image, Instant
from tests.analytics.row_walk import walk
from tests.analytics.test_row_motion import scenery, window

NAMES = ("apple", "pear")
WIDE = scenery(1)
SIDE = 60
NOTHING_KNOWN = PassRecord()


class Row:
    """A row of fruit at known places, and a camera that can be put anywhere along it."""

    def __init__(
        self, places: list[tuple[int, int]], config: RowConfig | None = None, record: PassRecord = NOTHING_KNOWN
    ) -> None:
        self.count = RowCount(config or RowConfig(), "north", NAMES, record=record)
        self.places, self.measures, self.events, self.frames = places, 0, [], 0
        self.totals: Counter[str] = Counter()

    def look(
        self, x: float, *, scores: dict[int, float] | None = None, hidden: set[int] = frozenset(), wide: Image = WIDE
    ) -> None:
        """Show the picture from ``x`` on; ``scores`` of fruit that are not seen with 0.8."""
        boxes = {n: (a - x, b, a - x + SIDE, b + SIDE) for n, (a, b) in enumerate(self.places)}
        shown = {n: box for n, box in boxes.items() if box[0] >= 0 and box[2] <= 1280 and n not in hidden}
        detections = Detections(
            np.array(list(shown.values()), np.float32).reshape(-1, 4),
            np.array([(scores or {}).get(number, 0.8) for number in shown], np.float32),
            np.zeros(len(shown), np.int64),
        )
        self.see(detections, window(wide, x, 0))

    def see(self, detections: Detections, picture: Image) -> None:
        at = Instant(0, self.frames * 10**8, 1)
        self.take(self.count.observe(Frame("north", self.frames, at, picture), detections))
        self.frames += 1

    def take(self, findings: Findings) -> None:
        self.measures += sum(measure.name == "row_fruit" for measure in findings.measures)
        for measure in findings.measures:
            self.totals[measure.name] += measure.value * (measure.class_name == ANY)
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


def test_misses_are_no_new_fruit():
    """A fruit that is missed now and then, also for some time, is the same when it is seen again."""
    row = Row(ROW)
    for number, x in enumerate(range(0, 1100, 20)):
        row.look(x, hidden={number % 7, (number + 3) % 7} if number % 10 > 6 else {number % 7})
    row.finish()
    assert row.measures == len(ROW)


def test_standing_and_going_back_count_nothing_again():
    """A camera that goes, rests, goes back out of sight of what it found and comes again, counts each fruit once."""
    row = Row(ROW)
    for x in [*range(0, 1100, 25), *[1075] * 20, *range(1075, 300, -25), *range(300, 1100, 25)]:
        row.look(x)
    row.finish()
    assert row.measures == len(ROW)


def test_fruit_that_was_counted_stays_counted():
    """Counted, then hidden in all looks while the camera goes back, then seen again: one fruit, though a weak one."""
    row, weak = Row(ROW), dict.fromkeys(range(len(ROW)), 0.3)
    for x in range(0, 700, 20):
        row.look(x, scores=weak)
    for x in range(700, 0, -20):
        row.look(x, scores=weak, hidden={0, 1, 2})
    for x in range(0, 700, 20):
        row.look(x, scores=weak)
    row.finish()
    assert row.measures == len(ROW) - 1  # the last one is beyond


def test_weak_in_every_look_is_as_good_as_strong_in_some():
    """What scores 0.3 in each look is a fruit; what scores 0.15 in each, or 0.3 in each third, is none."""
    row = Row(ROW)
    for number, x in enumerate(range(0, 1100, 20)):
        row.look(x, scores={2: 0.3, 3: 0.15, 4: 0.3}, hidden=set() if number % 3 == 0 else {4})
    row.finish()
    assert row.measures == len(ROW) - 2


def test_fruit_behind_leaves_for_most_of_the_pass():
    """Clear detections for a while are a fruit, though nothing is seen of it before and after."""
    row = Row(ROW)
    for number, x in enumerate(range(0, 1100, 20)):
        row.look(x, hidden=set() if 8 <= number < 12 else {2})
    row.finish()
    assert row.measures == len(ROW)


def test_flicker_is_no_fruit():
    """What is seen in one look of ten does not count, however sure; nor what is seen once."""
    row = Row(ROW)
    for number, x in enumerate(range(0, 1100, 20)):
        row.look(x, hidden={2} if number % 10 else set())
    row.places = [*ROW, (1500, 600)]
    row.look(1100)
    row.finish()
    assert row.measures == len(ROW) - 1


def test_fruit_seen_double_counts_once():
    """Two boxes in one place, the better one now the larger and now the smaller, are one fruit."""
    row = Row([])
    for number, x in enumerate(range(0, 400, 20)):
        left = 700.0 - x
        boxes = np.array([[left, 100, left + 60, 160], [left + 6, 104, left + 58, 158]], np.float32)
        scores = np.array([0.9, 0.5] if number % 2 else [0.5, 0.9], np.float32)
        row.see(Detections(boxes, scores, np.zeros(2, np.int64)), window(WIDE, x, 0))
    row.finish()
    assert row.measures == 1


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


def test_bands_of_pieces_add_up():
    """The measures of all pieces give the count of the row, and the variance that its own band would have."""
    record = PassRecord(found_share=0.8, spread=0.7)
    row = Row(ROW, RowConfig(per="metre", metres_per_pixel=0.0025), record)
    for x in range(0, 1100, 20):
        row.look(x)
    reports = row.finish()
    whole = record.band(len(ROW))
    assert len(reports) > 4
    assert row.totals["row_count"] == pytest.approx(whole.count)
    assert row.totals["row_count_variance"] == pytest.approx(whole.variance)
    assert (whole.high - whole.count) == pytest.approx(1.645 * whole.variance**0.5)


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
    for x in (0, 20):
        row.look(x)
    row.finish()
    assert [event.data["class"] for event in row.events] == [ANY, "apple"]


def test_class_without_a_name_is_refused():
    """A class index that the model does not know is no fruit."""
    row, box = Row([]), np.array([[0, 0, 9, 9]], np.float32)
    with pytest.raises(ValueError, match="class index: found 5"):
        row.see(Detections(box, np.ones(1, np.float32), np.array([5])), window(WIDE, 0, 0))


def test_flicker_before_a_standing_camera_is_forgotten():
    """A camera that stands before what flickers in ever other places keeps a bounded book."""
    row, rng = Row([]), np.random.default_rng(1)
    for _ in range(150):
        corner = rng.uniform(0, 580, (20, 2))
        boxes = np.concatenate([corner, corner + 40], axis=1).astype(np.float32)
        row.see(Detections(boxes, np.full(20, 0.12, np.float32), np.zeros(20, np.int64)), window(WIDE, 0, 0))
    assert len(row.count._ledger._entries) < 300


@pytest.mark.parametrize("seed", [1, 3])
def test_simulated_row_with_a_faulty_detector(seed: int):
    """With 10% missed, 5% made up and trembling boxes, at changing speed and with stops, the count is within 3%."""
    walked = walk(seed)
    assert abs(walked.counted / walked.truth - 1) <= 0.03
    assert walked.reported == walked.counted
    assert walked.length_px == pytest.approx(walked.true_length_px, rel=0.01)
    assert walked.track_ids > 1.5 * walked.truth  # what would be counted without the ledger
