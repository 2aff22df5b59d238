"""Zones, by hand: who is in, who came, for how long, and how fast."""

from collections import Counter

import numpy as np
import pytest

from agent.analytics.geometry import ground_plane, on_ground
from agent.analytics.zones import ZoneAnalysis
from agent.config import ZoneConfig
from agent.errors import ConfigError
from agent.tracking import ByteTrack, TrackerParams
from agent.types import ANY, ClassCount, Findings
from tests.analytics.scenes import tracks
from tests.analytics.walks import HEIGHT, WIDTH, Eye, Walk, crossers, frame_at, play

NAMES = ("apple", "person")
YARD = ZoneConfig(name="yard", polygon=((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
EDGE_X, MIDDLE_Y = 480, 1440  # the left edge
FPS = 5.0


def watch(frames, *, zone: ZoneConfig = YARD, fps: float = FPS, gaps: tuple[int, ...] = ()) -> list[Findings]:
    """Show frames, each a list of (id, class, x); boxes are 100 by 100, the band is 20. ``gaps`` stand for no time."""
    analysis = ZoneAnalysis((zone,), "north", NAMES)
    return [
        analysis.observe(
            frame_at(n / fps),
            tracks(*((i, c, (x, MIDDLE_Y, 100, 100)) for i, c, x in frame)),
            observed_ns=0 if n == 0 or n in gaps else round(1e9 / fps),
        )
        for n, frame in enumerate(frames)
    ]


def way(*offsets: float | None, track: int = 1, class_id: int = 1) -> list[list[tuple]]:
    """One object, by its distance to the left edge, inside where positive; None where it is not seen."""
    return [[] if offset is None else [(track, class_id, EDGE_X + offset)] for offset in offsets]


def presence(found: list[Findings]) -> list[tuple[int, int]]:
    """Unique and present of all classes, by frame."""
    return [(findings.counts[0].unique, findings.counts[0].present) for findings in found]


def readings(found: list[Findings], name: str) -> list[float]:
    return [one.value for findings in found for one in findings.measures if (one.name, one.class_name) == (name, ANY)]


def test_rows_of_a_frame():
    """Each frame has the zone's row of all classes, and a row of each class in it, by class."""
    found = watch([[], [(1, 1, 900), (2, 0, 1000), (3, 1, 1100), (4, 0, 100)], [(1, 1, 900)]])
    assert [findings.counts for findings in found] == [
        (ClassCount("yard", ANY, 0, 0, 0.0),),
        (
            ClassCount("yard", ANY, 3, 3, 1.5),
            ClassCount("yard", "apple", 1, 1, 0.5),
            ClassCount("yard", "person", 2, 2, 1.0),
        ),
        (ClassCount("yard", ANY, 0, 1, 0.5), ClassCount("yard", "person", 0, 1, 0.5)),
    ]


@pytest.mark.parametrize(
    ("offsets", "present", "unique"),
    [
        ([50, 50], [1, 1], 1),  # there from the first
        ([-50, -15, 15, -15, 15, -15], [0] * 6, 0),  # moves on the edge, from outside
        ([50, 15, -15, 15, -15, 15], [1] * 6, 1),  # and from inside
        ([-50, 50, 50, 50], [0, 0, 1, 1], 1),  # comes: seen inside for a tenth of a second, and twice
        ([50, -50, 50, 50], [1, 1, 1, 1], 1),  # one odd box
        ([50, -50, -50, 50, 50], [1, 1, 0, 0, 1], 1),  # goes and comes back: no newcomer
        ([10, 10, 10, 10, 10, 10, -10], [0, 0, 0, 0, 0, 1, 1], 1),  # hangs just inside: in after a second
        ([-10, -10, -10, -10, -10, -10, 10], [0] * 7, 0),  # hangs just outside
        ([50, None, 50], [1, 0, 1], 1),
    ],
)
def test_edge_without_flicker(offsets, present, unique):
    """An object comes and goes when it is clearly over the edge, and is new in a zone once."""
    found = presence(watch(way(*offsets)))
    assert [one[1] for one in found] == present
    assert sum(one[0] for one in found) == unique


def test_dwell_is_from_coming_to_the_last_sighting_inside():
    """Inside in frames 2 to 7 of five a second: 1.0 s; read once, when it has left, for its class and for all."""
    found = watch(way(-50, 50, 50, 50, 50, 50, 50, 50, -50, -50, -50))
    assert [len(findings.measures) for findings in found] == [0] * 9 + [2, 0]
    assert [(one.zone, one.class_name, one.name) for one in found[9].measures] == [
        ("yard", "person", "dwell_s"),
        ("yard", ANY, "dwell_s"),
    ]
    assert readings(found, "dwell_s") == [pytest.approx(1.0)]


def test_missed_detections_do_not_end_a_stay():
    """Unseen for three seconds an object still stays; unseen for more it has left when it was last seen."""
    assert readings(watch(way(*[50] * 6, *[None] * 15, *[50] * 5)), "dwell_s") == []
    gone = watch(way(*[50] * 6, *[None] * 30))
    assert readings(gone, "dwell_s") == [pytest.approx(1.0)]
    assert [n for n, findings in enumerate(gone) if findings.measures] == [25]  # four seconds later


def test_new_id_in_the_same_place_is_the_same_stay():
    """An object that loses its id while it stands hidden is not new, and its stay goes on."""
    found = watch([*way(*[50] * 6), *[[]] * 10, *way(*[50] * 5, track=2), *way(*[-100] * 2, track=2)])
    assert sum(unique for unique, _ in presence(found)) == 1
    assert readings(found, "dwell_s") == [pytest.approx(20 / FPS)]


def test_time_that_nobody_watched_is_not_dwelt():
    """A gap in watching is not counted as a stay, as nobody knows what happened."""
    found = watch(way(*[50] * 6, -50, -50), gaps=(3,))
    assert readings(found, "dwell_s") == [pytest.approx(0.8)]


def test_loitering_is_one_alarm_a_stay():
    """An object inside for long raises one alarm that says who, where and how long; a next stay may raise another."""
    zone = YARD.model_copy(update={"loiter_s": 1.0})
    stay = [*[50] * 8, -50, -50]
    found = watch(way(*stay, *stay), zone=zone)
    alarms = [(n, event) for n, findings in enumerate(found) for event in findings.events]
    assert [n for n, _ in alarms] == [5, 16]
    event = alarms[0][1]
    assert (event.kind, event.camera, event.alarm) == ("loitering", "north", True)
    assert event.at == frame_at(1.0).captured
    assert event.data == {"zone": "yard", "class": "person", "track": 1, "dwell_s": 1.0}


def test_alarm_needs_the_object():
    """No alarm is raised for who was not seen since."""
    zone = YARD.model_copy(update={"loiter_s": 1.0})
    found = watch(way(*[50] * 4, *[None] * 30), zone=zone)
    assert all(not findings.events for findings in found)


def test_classes_of_a_zone():
    """A zone sees its classes only; one that the model does not know stops the program, named with what it knows."""
    people = YARD.model_copy(update={"classes": ("person",)})
    found = watch([[(1, 1, 900), (2, 0, 1000)]], zone=people)
    assert [(row.class_name, row.present) for row in found[0].counts] == [(ANY, 1), ("person", 1)]
    with pytest.raises(ConfigError, match=r"camera north: zone yard: classes: found 'pear'; .*knows apple, person"):
        watch([], zone=YARD.model_copy(update={"classes": ("pear", "apple")}))


def test_class_that_changes():
    """An object whose class changes is counted under the first, present under the other, and new once."""
    found = watch([[(1, 0, 900)], [(1, 1, 900)]])
    assert [(row.class_name, row.unique, row.present) for row in found[1].counts] == [(ANY, 0, 1), ("person", 0, 1)]


def test_zone_scales_with_the_picture():
    """A picture of half the size shows the same: the same stay goes on."""
    analysis = ZoneAnalysis((YARD,), "north", NAMES)
    half = np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.uint8)
    rows = []
    for n in range(6):
        image, scale = (half, 0.5) if n >= 3 else (np.zeros((HEIGHT, WIDTH, 3), np.uint8), 1.0)
        shown = tracks((1, 0, tuple(scale * value for value in (530, MIDDLE_Y, 100, 100))))
        rows.append(analysis.observe(frame_at(n / FPS, image=image), shown, observed_ns=1).counts[0])
    assert [(row.unique, row.present) for row in rows] == [(1, 1), *[(0, 1)] * 5]


def test_zone_at_the_border_of_the_picture():
    """Who is cut off by the border of the picture is as deep in the zone as its other edges say."""
    lower = ZoneConfig(name="yard", polygon=((0, 0.5), (1, 0.5), (1, 1), (0, 1)), anchor="bottom")
    analysis = ZoneAnalysis((lower,), "north", NAMES)
    row = analysis.observe(frame_at(0), tracks((1, 0, (50, HEIGHT - 50, 100, 100))), observed_ns=0).counts[0]
    assert row.present == 1


def test_narrow_zone_sees_large_objects():
    """A zone that is narrower than an object's band still has an inside."""
    strip = ZoneConfig(name="yard", polygon=((0.25, 0.25), (0.26, 0.25), (0.26, 0.75), (0.25, 0.75)))
    analysis = ZoneAnalysis((strip,), "north", NAMES)
    row = analysis.observe(frame_at(0), tracks((1, 0, (490, MIDDLE_Y, 300, 300))), observed_ns=0).counts[0]
    assert row.present == 1


def test_speed_of_a_steady_walk():
    """960 pixels are 12 m: 40 pixels in a fifth of a second are 2.5 m/s, read once a second; who stands has 0."""
    zone = YARD.model_copy(update={"size_m": (12.0, 24.0)})
    found = watch(way(*(50 + 40 * n for n in range(11)), *[450] * 15), zone=zone)
    speeds = readings(found, "speed_m_s")
    assert speeds[:2] == [pytest.approx(2.5), pytest.approx(2.5)]
    assert speeds[-1] == pytest.approx(0, abs=1e-6)
    assert len(speeds) == 5
    assert readings(watch(way(*(50 + 40 * n for n in range(11)))), "speed_m_s") == []  # no scale, no speed


def test_speed_of_who_is_quickly_through():
    """An object that is inside for less than a second has one reading, when it leaves."""
    zone = YARD.model_copy(update={"size_m": (12.0, 24.0)})
    found = watch(way(*(-200 + 240 * n for n in range(10))), zone=zone)
    assert readings(found, "speed_m_s") == [pytest.approx(15.0)]


def test_speed_in_perspective():
    """On a road seen in perspective, steady steps of 1 m that shrink in the picture are read as steady."""
    road = ((0.3, 0.9), (0.7, 0.9), (0.6, 0.3), (0.4, 0.3))
    zone = ZoneConfig(name="yard", polygon=road, size_m=(6.0, 30.0), anchor="bottom")
    to_picture = np.linalg.inv(ground_plane(np.array(road), (6, 30)))
    analysis = ZoneAnalysis((zone,), "north", NAMES)
    found = []
    for n in range(20):
        x, y = on_ground(np.array([[3.0, 2 + n]]), to_picture)[0] * (WIDTH, HEIGHT)
        found.append(analysis.observe(frame_at(n / FPS), tracks((1, 1, (x, y - 50, 60, 100))), observed_ns=200_000_000))
    assert readings(found, "speed_m_s") == [pytest.approx(5.0, rel=1e-3)] * 3


def test_visitors_are_forgotten():
    """Who is gone leaves nothing behind."""
    analysis = ZoneAnalysis((YARD,), "north", NAMES)
    for n in range(300):
        analysis.observe(frame_at(n / FPS), tracks((n, 0, (n * 7919 % 1900, 1000, 100, 100))), observed_ns=1)
    assert len(analysis._zones[0].visitors) <= 21


def seen_inside_s(walk: Walk) -> float:
    """For how long a walk of ten frames a second can be seen in the middle tenth of the picture."""
    return sum(abs((box[0] + box[2]) / 2 - WIDTH / 2) < 0.05 * WIDTH for _, box in walk.boxes(10)) / 10


def test_two_hundred_visitors_through_a_bad_detector():
    """Through the real tracker, with misses and jitter, visitors are right within 5% and their time within 7%."""
    zone = ZoneConfig(name="yard", polygon=((0.45, 0), (0.55, 0), (0.55, 1), (0.45, 1)), classes=("person",))
    walks = crossers(200, seed=4)
    tracker = ByteTrack(TrackerParams.at(confidence=0.25, frame_interval_s=0.1))
    analysis = ZoneAnalysis((zone,), "north", ("person", "person"))
    total = Counter()
    for now_s, detections in play(walks, Eye(), fps=10, seed=5):
        frame = frame_at(now_s)
        found = analysis.observe(frame, tracker.update(detections, frame.captured), observed_ns=100_000_000)
        total["unique"] += found.counts[0].unique
        total["stays"] += len(readings([found], "dwell_s"))
        total["dwell_s"] += sum(readings([found], "dwell_s"))
    seen_s = np.array([seen_inside_s(walk) for walk in walks])
    visitors = np.count_nonzero(seen_s > 0.3)  # the others are hidden all the time that they are inside
    assert total["unique"] == pytest.approx(visitors, rel=0.05)
    assert total["stays"] == pytest.approx(visitors, rel=0.05)
    assert total["dwell_s"] == pytest.approx(seen_s.sum(), rel=0.07)
