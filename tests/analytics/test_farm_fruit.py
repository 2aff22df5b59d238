"""Ripeness and size: each fruit once, by its colour and its box, whatever the light and whatever hangs before it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.analytics.analysis import Analysis
from agent.analytics.farm import Canopy, FruitSize, Ripeness, create_farm_analyses
from agent.analytics.farm.colour import chroma, lab
from agent.analytics.farm.ripeness import Scale, read_ripeness
from agent.analytics.farm.sightings import inside
from agent.analytics.farm.size import diameters
from agent.capture.orchard import Orchard, OrchardSpec
from agent.config import FarmConfig, RipenessConfig
from agent.errors import ConfigError
from agent.types import Frame, Image, Instant, Measure, Tracks

CLASSES = ("apple", "cherry", "pear")
RED, YELLOW, GREEN = (40, 40, 170), (80, 175, 190), (45, 100, 60)  # BGR: ripe skin, unripe skin, leaf
BOX = np.array([20, 20, 80, 80], np.float32)


def of(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    """CIE L*a*b* of a BGR colour."""
    first, second, third = lab(np.full((1, 1, 3), colour, np.uint8))[0, 0].tolist()
    return first, second, third


def apple(**changes: object) -> RipenessConfig:
    return RipenessConfig.model_validate({"class": "apple", "ripe_lab": of(RED), "unripe_lab": of(YELLOW), **changes})


SCALE = Scale(apple())
FARM = FarmConfig(ripeness=(apple(),), fruit_size=True, metres_per_pixel=0.0015)


def fruit(skin: tuple[int, int, int], second: tuple[int, int, int] = RED, share: float = 0.0) -> Image:
    """A picture of one ball in leaves, its left part of the second colour."""
    picture = np.full((100, 100, 3), GREEN, np.uint8)
    painted = np.full((100, 100, 3), skin, np.uint8)
    painted[:, : 20 + round(60 * share)] = second
    ball = cv2.circle(np.zeros((100, 100), np.uint8), (50, 50), 30, 1, -1)
    picture[ball > 0] = painted[ball > 0]
    return picture


def in_light(image: Image, factor: float) -> Image:
    """The picture with ``factor`` times as much light on it: light is linear, sRGB values are not."""
    values = image / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) * factor
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.clip(np.round(encoded * 255), 0, 255), np.uint8)


def tracks(*boxes: tuple[float, ...], ids: tuple[int, ...] | None = None, class_id: int = 0) -> Tracks:
    n = len(boxes)
    return Tracks(
        np.array(ids or range(1, n + 1), np.int64)[:n],
        np.array(boxes, np.float32).reshape(n, 4),
        np.full(n, 0.9, np.float32),
        np.full(n, class_id, np.int64),
        np.zeros(n, bool),
    )


def instant(second: float) -> Instant:
    return Instant(utc_ns=0, monotonic_ns=round(second * 1e9), boot=1)


def watch(analysis: Analysis, shown: Iterator[tuple[Image, Tracks]], fps: float = 5.0) -> list[Measure]:
    """All measures of a film."""
    return [
        measure
        for number, (image, seen) in enumerate(shown)
        for measure in analysis.observe(
            Frame("north", number, instant(number / fps), image), seen, observed_ns=0
        ).measures
    ]


def still(image: Image, seen: Tracks, frames: int, gone: int = 0) -> Iterator[tuple[Image, Tracks]]:
    """A film of one picture, at the end without the tracks."""
    yield from ((image, seen) for _ in range(frames))
    yield from ((image, tracks()) for _ in range(gone))


def test_colour_by_hand():
    """Pure sRGB red is L*a*b* 53.24, 80.09, 67.20, so its chroma is 80.09 and 67.20 over 69.24."""
    red = of((0, 0, 255))
    assert red == (pytest.approx(53.24, abs=0.05), pytest.approx(80.09, abs=0.1), pytest.approx(67.2, abs=0.1))
    assert chroma(np.array(red)).tolist() == [pytest.approx(1.1567, abs=0.003), pytest.approx(0.9705, abs=0.003)]


def test_position_by_hand():
    """With chroma (0, 0.5) unripe and (1, 0.5) ripe, (0.25, 0.9) lies at a quarter; what lies beyond is clipped."""
    scale = Scale(apple(ripe_lab=(34, 50, 25), unripe_lab=(34, 0, 25)))
    found = scale.position(np.array([[0.25, 0.9], [0, 0.5], [1, 0.5], [-0.4, 0.5], [1.7, 0.2]]))
    assert found.tolist() == [pytest.approx(0.25), 0, pytest.approx(1), 0, 1]


@given(
    st.tuples(*[st.integers(60, 200)] * 3).filter(lambda colour: max(colour) - min(colour) > 20), st.floats(0.3, 1.5)
)
def test_chroma_does_not_depend_on_the_strength_of_light(colour: tuple[int, int, int], factor: float):
    """More or less of the same light moves the chroma by rounding to bytes only."""
    image = np.full((1, 1, 3), colour, np.uint8)
    shaded = in_light(image, factor)
    if shaded.max() < 255:
        assert np.allclose(chroma(lab(shaded)), chroma(lab(image)), atol=0.05)


@pytest.mark.parametrize("factor", [0.35, 0.6, 1.0, 1.4])
@pytest.mark.parametrize(("skin", "ripeness"), [(RED, 1.0), (YELLOW, 0.0)])
def test_ripe_and_unripe_in_shade_and_sun(skin: tuple[int, int, int], ripeness: float, factor: float):
    """A red apple is ripe and a yellow one is not, at a third of the light and at almost half as much again."""
    assert read_ripeness(in_light(fruit(skin), factor), BOX, SCALE) == pytest.approx(ripeness, abs=0.05)


@pytest.mark.parametrize("share", [0.4, 0.5, 0.6])
def test_two_coloured_fruit_lies_between(share: float):
    """An apple with red on a part of its face lies between unripe and ripe, the further the more red it has."""
    reading = read_ripeness(fruit(YELLOW, RED, share), BOX, SCALE)
    assert reading is not None
    assert reading == pytest.approx(np.interp(share, [0.25, 0.75], [0, 1]), abs=0.15)


def test_leaves_before_the_fruit_are_not_its_skin():
    """A red apple with leaves over a third of it is as ripe as one without; under leaves altogether it is not read."""
    assert read_ripeness(fruit(RED, GREEN, 0.35), BOX, SCALE) == pytest.approx(1, abs=0.02)
    assert read_ripeness(fruit(GREEN), BOX, SCALE) is None


def test_highlights_are_not_unripe():
    """A white highlight with a pale rim does not change the reading."""
    shiny = cv2.circle(fruit(RED), (42, 40), 8, (235, 235, 240), -1)
    shiny = cv2.circle(shiny, (42, 40), 5, (255, 255, 255), -1)
    assert read_ripeness(np.asarray(shiny, np.uint8), BOX, SCALE) == pytest.approx(1, abs=0.02)


def test_bark_and_glare_on_the_fruit_are_not_its_skin():
    """A grey branch over 40% of a red apple, or the sun burning out as much of it, does not make it less ripe."""
    assert read_ripeness(fruit(RED, (120, 124, 122), 0.4), BOX, SCALE) == pytest.approx(1, abs=0.02)
    burnt = tuple(in_light(np.full((1, 1, 3), RED, np.uint8), 12)[0, 0].tolist())
    assert max(burnt) == 255
    assert read_ripeness(fruit(RED, burnt, 0.4), BOX, SCALE) == pytest.approx(1, abs=0.02)


def test_fruit_that_cannot_be_seen_is_not_read():
    """In glare and in the dark there is no reading, rather than an unripe one."""
    assert read_ripeness(np.full((100, 100, 3), 254, np.uint8), BOX, SCALE) is None
    assert read_ripeness(in_light(fruit(RED), 0.01), BOX, SCALE) is None


def test_each_fruit_gives_one_reading():
    """Of a red and a yellow apple, watched for a minute, there are two readings and two places in the distribution."""
    image = np.hstack([fruit(RED), fruit(YELLOW)])
    seen = tracks((20, 20, 80, 80), (120, 20, 180, 80))
    measures = watch(Ripeness(FARM, "north", CLASSES), still(image, seen, 300, gone=30))
    assert sorted((measure.name, round(measure.value, 1)) for measure in measures) == [
        ("ripeness", 0.0),
        ("ripeness", 1.0),
        ("ripeness_0_20", 1.0),
        ("ripeness_80_100", 1.0),
    ]
    assert {(measure.zone, measure.class_name) for measure in measures} == {("*", "apple")}


def test_fruit_that_leaves_early_is_told_when_it_has_left():
    """Two views are enough if there are no more; a fruit that nobody saw well gives nothing."""
    ripeness = Ripeness(FARM, "north", CLASSES)
    assert watch(ripeness, still(fruit(RED), tracks(tuple(BOX.tolist())), 2)) == []
    assert len(watch(Ripeness(FARM, "north", CLASSES), still(fruit(RED), tracks(tuple(BOX.tolist())), 2, gone=20))) == 2
    at_the_border = tracks((0, 20, 60, 80))
    assert watch(Ripeness(FARM, "north", CLASSES), still(fruit(RED), at_the_border, 50, gone=20)) == []


def test_other_classes_are_not_looked_at():
    """A pear without references has no ripeness."""
    film = still(fruit(RED), tracks(tuple(BOX.tolist()), class_id=2), 50, gone=20)
    assert watch(Ripeness(FARM, "north", CLASSES), film) == []


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ([{"class": "plum"}], r"camera north: farm\.ripeness\.0\.class: found 'plum'; allowed: apple, cherry, pear"),
        ([{}, {}], r"farm\.ripeness\.1\.class: found 'apple' again; allowed: each class once"),
        ([{"ripe_lab": (60, 20, 20), "unripe_lab": (41, 15, 15)}], "nearly the same colour; allowed: colours that"),
    ],
)
def test_references_that_cannot_work_are_refused(references: list[dict[str, object]], message: str):
    """An unknown class, a class given twice and references that differ in lightness alone are named."""
    config = FarmConfig(ripeness=tuple(apple(**changes) for changes in references))
    with pytest.raises(ConfigError, match=message):
        Ripeness(config, "north", CLASSES)


def test_diameter_by_hand():
    """Of a box 40 wide and 90 high it is 60: the square root of 3600."""
    assert diameters(np.array([[10, 10, 50, 100]], np.float32)).tolist() == [60]


def test_size_in_pixels_and_millimetres():
    """A fruit of 60 pixels at 1.5 mm a pixel has 90 mm; without a scale there are pixels only."""
    film = list(still(fruit(RED), tracks(tuple(BOX.tolist())), 40))
    measures = watch(FruitSize(FARM, CLASSES), iter(film))
    assert [(measure.name, measure.value) for measure in measures] == [
        ("size_px", pytest.approx(60)),
        ("size_mm", pytest.approx(90)),
    ]
    assert [measure.name for measure in watch(FruitSize(FarmConfig(fruit_size=True), CLASSES), iter(film))] == [
        "size_px"
    ]


def test_border_and_leaves_do_not_make_fruit_smaller():
    """A fruit that comes in at the border and is half hidden for half of the time keeps its size."""
    picture = np.zeros((720, 1280, 3), np.uint8)
    boxes = [(max(0, -60 + 20 * step), 300, 20 * step, 360 - 30 * (step % 2)) for step in range(1, 30)]
    (measure,) = watch(FruitSize(FarmConfig(fruit_size=True), CLASSES), ((picture, tracks(box)) for box in boxes))
    assert measure.value == pytest.approx(60)


def test_inside_the_picture():
    """Boxes at the border and tiny ones do not show a fruit well."""
    boxes = np.array([[2, 2, 98, 98], [1, 20, 50, 60], [20, 20, 99, 60], [20, 20, 27, 60]], np.float32)
    assert inside(boxes, width=100, height=100).tolist() == [True, False, False, False]


def test_fruit_of_the_simulated_orchard_are_measured_once():
    """On the drawn row, no fruit has two readings, most that show have one, and sizes are those of the truth."""
    orchard = Orchard(OrchardSpec(seed=1, fps=2, width=640, height=360, speed=40))
    truths = [orchard.truth(index) for index in range(40)]
    shown = [np.flatnonzero(truth.visible > 0.5) for truth in truths]
    films = [
        (orchard.frame(index), Tracks(truth.ids[at], truth.boxes[at], truth.visible[at], truth.class_ids[at], at < 0))
        for index, (truth, at) in enumerate(zip(truths, shown, strict=True))
    ]
    films += [(films[-1][0], tracks())] * 20
    well = {fruit_id for _, seen in films for fruit_id in seen.track_ids[inside(seen.boxes, width=640, height=360)]}
    sizes = watch(FruitSize(FARM, CLASSES), iter(films), fps=2)
    assert len([measure for measure in sizes if measure.name == "size_px"]) == len(well)
    assert all(30 * 0.9 < measure.value < 44 * 1.15 for measure in sizes if measure.name == "size_px")
    readings = [
        measure.value
        for measure in watch(Ripeness(FARM, "north", CLASSES), iter(films), fps=2)
        if measure.name == "ripeness"
    ]
    assert 0.9 * len(well) <= len(readings) <= len(well)
    assert np.mean(np.array(readings) > 0.6) > 0.5  # most of the drawn apples are red


def labelled(image_file: Path) -> np.ndarray:
    """(N, 4) boxes of a photograph 640 pixels wide and high."""
    label = image_file.parents[2] / "labels" / image_file.parent.name / f"{image_file.stem}.txt"
    rows = [line.split()[1:] for line in label.read_text().splitlines()] if label.exists() else []
    boxes = np.array(rows, np.float32).reshape(-1, 4) * 640
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def photographed(folder: Path, stage: str, factor: float = 1.0) -> list[float | None]:
    """The readings of all apples of one stage of growth."""
    scale = Scale(apple(ripe_lab=(45, 50, 28), unripe_lab=(65, -8, 32)))
    readings: list[float | None] = []
    for file in sorted(folder.glob(f"{stage}_*.jpg"))[::3]:
        image = np.clip(np.asarray(cv2.imread(str(file))) * factor, 0, 255).astype(np.uint8)
        boxes = labelled(file)
        readings += [read_ripeness(image, box, scale) for box in boxes[inside(boxes, width=640, height=640)]]
    return readings


def test_photographed_apples_ripen(shared_data: Path):
    """Of two stages of growth, the later one reads riper: in four of five pairs of apples, and by far on average."""
    folder = shared_data / "orchard" / "images" / "val"
    before, after = (
        np.array([reading for reading in photographed(folder, stage) if reading is not None])
        for stage in ("applebbch76", "applebbch81")
    )
    assert np.mean(after[:, None] > before[None, :]) > 0.8
    assert after.mean() - before.mean() > 0.3


def test_photographed_apples_read_alike_in_other_light(shared_data: Path):
    """With all bytes times 0.6, the median apple reads within 0.03 of what it did, and as many can be read."""
    folder = shared_data / "orchard" / "images" / "val"
    bright, dull = photographed(folder, "applebbch76"), photographed(folder, "applebbch76", 0.6)
    pairs = [(one, other) for one, other in zip(bright, dull, strict=True) if one is not None and other is not None]
    assert len(pairs) > 0.9 * len(bright)
    assert np.median([abs(one - other) for one, other in pairs]) < 0.03


def test_configuration_says_what_is_measured():
    """By default nothing is; each measure has its switch."""
    assert create_farm_analyses(FarmConfig(), "north", CLASSES) == ()
    everything = FARM.model_copy(update={"canopy": True})
    assert [type(each) for each in create_farm_analyses(everything, "north", CLASSES)] == [Ripeness, FruitSize, Canopy]


def test_reference_too_dark_to_have_a_colour_is_refused():
    """L* of a reference is at least 10, and a* and b* are in the range of bytes."""
    for lab_colour in ((5, 10, 10), (50, 200, 10), (float("nan"), 0, 0)):
        with pytest.raises(ValidationError, match="ripe_lab"):
            apple(ripe_lab=lab_colour)
