"""Canopy: the indices are those of the literature, light does not move them, what cannot be seen is not measured."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analytics.farm import Canopy
from agent.analytics.farm.canopy import CanopyReading, exg, gli, otsu, read_canopy, vari
from agent.capture.orchard import Orchard, OrchardSpec
from agent.config import FarmConfig
from agent.types import ANY, Findings, Frame, Image, Instant, Tracks

LEAF = (40, 120, 80)  # BGR: sum 240
SOIL = (80, 100, 120)
SKY = (255, 255, 255)
NO_TRACKS = Tracks(
    np.zeros(0, np.int64),
    np.zeros((0, 4), np.float32),
    np.zeros(0, np.float32),
    np.zeros(0, np.int64),
    np.zeros(0, bool),
)


def stripes(**shares: tuple[tuple[int, int, int], float]) -> Image:
    """A picture of upright stripes, each with a colour and a share of the width."""
    parts = [np.full((180, round(320 * share), 3), colour, np.uint8) for colour, share in shares.values()]
    return np.concatenate(parts, axis=1)


def lit(image: Image, factor: float) -> Image:
    return np.clip(image * factor, 0, 255).astype(np.uint8)


def read(image: Image) -> CanopyReading:
    reading = read_canopy(image)
    assert reading is not None
    return reading


def frame(image: Image, second: float, boot: int = 1) -> Frame:
    return Frame("north", 0, Instant(utc_ns=0, monotonic_ns=round(second * 1e9), boot=boot), image)


def names(findings: Findings) -> set[str]:
    return {measure.name for measure in findings.measures}


def test_indices_by_hand():
    """Of B 40, G 120, R 80: b, g, r = 1/6, 1/2, 1/3, so ExG 1/2; VARI 40/160; GLI 120/360."""
    assert exg(1 / 6, 1 / 2, 1 / 3) == pytest.approx(0.5)
    assert vari(40, 120, 80) == pytest.approx(0.25)
    assert gli(40, 120, 80) == pytest.approx(1 / 3)


def test_indices_do_not_divide_by_zero():
    """Black has no index, and VARI has none where blue is as strong as green and red together."""
    assert (exg(0, 0, 0), vari(0, 0, 0), gli(0, 0, 0)) == (None, None, None)
    assert vari(100, 60, 40) is None


channel = st.integers(1, 255)


@given(channel, channel, channel, st.floats(0.1, 10))
def test_indices_do_not_depend_on_the_strength_of_light(blue: int, green: int, red: int, factor: float):
    """Chromatic coordinates, VARI and GLI are ratios: all channels times k is the same. Each stays in its range."""
    total = blue + green + red
    greenness, leaf = exg(blue / total, green / total, red / total), gli(blue, green, red)
    assert greenness is not None
    assert leaf is not None
    assert -1 <= greenness <= 2
    assert -1 <= leaf <= 1
    assert leaf == pytest.approx(gli(blue * factor, green * factor, red * factor))
    if green + red > blue:
        assert vari(blue, green, red) == pytest.approx(vari(blue * factor, green * factor, red * factor))


def test_otsu_splits_two_heaps():
    """Between values about 0 and values about 0.5, the threshold lies in between."""
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0, 0.02, 3000), rng.normal(0.5, 0.05, 1000)]).astype(np.float32)
    assert 0.05 < otsu(values) < 0.4


def test_reading_of_a_drawn_picture_by_hand():
    """Of 60% leaves, 25% soil and 15% sky, cover is 0.6 and the indices are those of the leaves alone."""
    reading = read(stripes(leaf=(LEAF, 0.6), soil=(SOIL, 0.25), sky=(SKY, 0.15)))
    assert reading.cover == pytest.approx(0.6, abs=0.01)
    assert (reading.exg, reading.vari, reading.gli) == (
        pytest.approx(0.5, abs=0.005),
        pytest.approx(0.25, abs=0.005),
        pytest.approx(1 / 3, abs=0.005),
    )


def test_all_leaves_and_no_leaves():
    """Otsu alone would split a picture of one kind in two; here leaves everywhere are 1 and soil everywhere is 0."""
    rng = np.random.default_rng(1)
    noise = rng.integers(-4, 5, (180, 320, 3))
    covers = [read((np.full((180, 320, 3), colour) + noise).astype(np.uint8)).cover for colour in (LEAF, SOIL)]
    assert covers == [pytest.approx(1, abs=0.01), pytest.approx(0, abs=0.01)]


def test_no_canopy_is_a_reading_and_the_dark_is_none():
    """Bare soil has a cover of 0 and no index; night, glare and infra-red have no reading at all."""
    bare = read(np.full((180, 320, 3), SOIL, np.uint8))
    assert (bare.cover, bare.exg, bare.vari, bare.gli) == (0, None, None, None)
    infrared = np.repeat(np.random.default_rng(1).integers(30, 200, (180, 320, 1), np.uint8), 3, axis=2)
    for unseen in (lit(stripes(leaf=(LEAF, 1.0)), 0.1), np.full((180, 320, 3), 253, np.uint8), infrared):
        assert read_canopy(unseen) is None


@pytest.mark.parametrize("factor", [0.4, 0.6, 1.4, 1.8])
def test_light_does_not_move_a_drawn_picture(factor: float):
    """The same leaves in less or more light have the same cover and the same indices."""
    picture = stripes(leaf=(LEAF, 0.5), soil=(SOIL, 0.5))
    was, now = read(picture), read(lit(picture, factor))
    for name in ("cover", "exg", "vari", "gli"):
        assert getattr(now, name) == pytest.approx(getattr(was, name), abs=0.02), name


def test_burnt_out_leaves_are_canopy_without_an_index():
    """Leaves in glare count as cover, but their colour, which is not known, moves no index."""
    reading = read(stripes(leaf=(LEAF, 0.5), glare=((120, 255, 240), 0.25), soil=(SOIL, 0.25)))
    assert reading.cover == pytest.approx(0.75, abs=0.01)
    assert reading.exg == pytest.approx(0.5, abs=0.01)


def test_photographs_keep_their_indices_in_other_light(shared_data: Path):
    """On real tiles, exposure of 0.6 and 1.4 moves cover and indices by little on average, clipped pixels included."""
    files = sorted((shared_data / "orchard" / "images" / "val").glob("*.jpg"))[::12]
    moved: dict[tuple[float, str], list[float]] = {}
    for file in files:
        image = np.asarray(cv2.imread(str(file)), np.uint8)
        was = read_canopy(image)
        for factor in (0.6, 1.4):
            now = read_canopy(lit(image, factor))
            for name in ("cover", "exg", "vari", "gli"):
                pair = [getattr(reading, name) for reading in (was, now) if reading is not None]
                if len(pair) == 2 and None not in pair:
                    moved.setdefault((factor, name), []).append(abs(pair[1] - pair[0]))
    assert min(len(values) for values in moved.values()) > len(files) / 2
    for (factor, name), values in moved.items():
        assert np.median(values) < (0.01 if factor < 1 else 0.03), (factor, name)


def test_simulated_orchard_is_covered_in_part():
    """Drawn trees, hedge and grass cover most of the picture but the sky, much the same from frame to frame."""
    orchard = Orchard(OrchardSpec(seed=1, width=640, height=360))
    covers = [read(orchard.frame(index)).cover for index in (0, 10, 20)]
    assert max(covers) - min(covers) < 0.1
    assert np.mean(covers) == pytest.approx(0.75, abs=0.15)


def test_sampled_by_time_of_the_frames():
    """A frame is measured ten seconds after the last one at the earliest, and at once after a new boot."""
    canopy, picture = Canopy(FarmConfig(canopy=True)), stripes(leaf=(LEAF, 0.6), soil=(SOIL, 0.4))
    seconds = (0.0, 0.2, 9.9, 10.0, 10.2, 25.0, 30.0)
    measured = [
        second for second in seconds if canopy.observe(frame(picture, second), NO_TRACKS, observed_ns=0).measures
    ]
    assert measured == [0.0, 10.0, 25.0]
    assert canopy.observe(frame(picture, 26.0, boot=2), NO_TRACKS, observed_ns=0).measures


def test_measures_of_a_frame():
    """Four measures of the whole picture; of bare soil only the cover, of the night none."""
    canopy = Canopy(FarmConfig(canopy=True, canopy_every_s=1))
    green = canopy.observe(frame(stripes(leaf=(LEAF, 0.6), soil=(SOIL, 0.4)), 0), NO_TRACKS, observed_ns=0)
    assert names(green) == {"canopy_cover", "exg", "vari", "gli"}
    assert {(measure.zone, measure.class_name) for measure in green.measures} == {(ANY, ANY)}
    bare = canopy.observe(frame(stripes(soil=(SOIL, 1.0)), 5), NO_TRACKS, observed_ns=0)
    assert [(measure.name, measure.value) for measure in bare.measures] == [("canopy_cover", 0.0)]
    assert canopy.observe(frame(stripes(black=((0, 0, 0), 1.0)), 10), NO_TRACKS, observed_ns=0) == Findings()


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (1080, 1920), (50, 20)])
def test_any_size_of_picture(size: tuple[int, int]):
    """Large and tiny pictures are read alike."""
    assert read(np.full((*size, 3), LEAF, np.uint8)).cover == 1
