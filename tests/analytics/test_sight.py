"""Whether a camera can see: real photographs, degraded in known ways."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from agent.analytics.sight import Sight, Sighting, View
from agent.capture.drawn import small_of
from agent.types import Frame, Image, Instant

RNG = np.random.default_rng(1)
FIELD = RNG.normal(0, 1, (800, 800)).astype(np.float32)


@pytest.fixture(scope="module", params=["applebbch81", "cherrybbch81", "pear640"])
def photo(request, shared_data) -> Image:
    """A real photograph of each kind of tree."""
    path = min((shared_data / "orchard").rglob(f"{request.param}*.jpg"))
    return cv2.imread(str(path))


def frame(image: Image, at_s: float, *, noise: float = 0.6) -> Frame:
    """The picture, and its small luma with a sensor's noise, so that no two are the same."""
    small = small_of(image)
    if noise:
        x, y = RNG.integers(0, 480, 2)
        small = np.clip(small + noise * FIELD[y : y + 320, x : x + 320], 0, 255).astype(np.uint8)
    return Frame("cam", round(at_s), Instant(10**18, round(at_s * 1e9), 1), image, small)


def sight() -> Sight:
    return Sight("cam", max_gap_s=2.0, view=View())


def show(one: Sight, image: Image, seconds: range, *, noise: float = 0.6) -> list[Sighting]:
    return [one.look(frame(image, second, noise=noise)) for second in seconds]


def states(sightings: list[Sighting]) -> list[str]:
    return [str(event.data["state"]) for one in sightings for event in one.events if event.kind == "camera-sight"]


def blind_s(sightings: list[Sighting]) -> float:
    return sum(measure.value for one in sightings for measure in one.measures if measure.name == "blind_s")


def covered(image: Image) -> Image:
    """A hand before the lens: skin out of focus, brighter on one side."""
    slope = np.linspace(60, 130, image.shape[1], dtype=np.float32)
    return np.broadcast_to(slope[:, np.newaxis] * np.float32([0.7, 0.8, 1.0]), image.shape).astype(np.uint8)


def darkened(image: Image) -> Image:
    return (image * 0.06).astype(np.uint8)


def burnt(image: Image) -> Image:
    return np.clip(image * 4.0 + 120, 0, 255).astype(np.uint8)


def blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 5)


TROUBLES = {"dark": darkened, "overexposed": burnt, "covered": covered, "blurred": blurred}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_trouble_is_told_and_ends(photo: Image, trouble: str):
    """A degraded picture is told by its name within seconds, is not observed from its first second on, and ends."""
    one = sight()
    before = show(one, photo, range(60))
    during = show(one, TROUBLES[trouble](photo), range(60, 120))
    after = show(one, photo, range(120, 180))
    assert states(before) == []
    assert blind_s(before) == 0
    assert states(during) == [trouble]
    assert [sighting.sees for sighting in during[:3]] == [True] * 3
    assert not any(sighting.sees for sighting in during[10:])
    assert not any(sighting.observes for sighting in during)
    assert states(after) == ["clear"]
    assert all(sighting.observes for sighting in after[10:])
    assert 60 <= blind_s(during) + blind_s(after) <= 70


DEGRADED: dict[str, Callable[[Image], Image]] = {
    "dusk": lambda image: (image * 0.3).astype(np.uint8),
    "hard sun": lambda image: np.clip(image * 1.5 + 10, 0, 255).astype(np.uint8),
    "haze": lambda image: (image * 0.4 + 110).astype(np.uint8),
    "poor coding": lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 15])[1], 1),
    "a little soft": lambda image: cv2.GaussianBlur(image, (0, 0), 1),
}


@pytest.mark.parametrize("change", DEGRADED)
def test_what_still_shows_something_is_observed(photo: Image, change: str):
    """Dusk, sun, haze, coding and softness that a detector can live with are no trouble."""
    one = sight()
    show(one, photo, range(60))
    assert [event for s in show(one, DEGRADED[change](photo), range(60, 120)) for event in s.events] == []


def test_noise_of_a_night(photo: Image):
    """Neither the noise of a night nor the clear day after it is taken for trouble."""
    one = sight()
    night = (photo * 0.4).astype(np.uint8)
    for round_s in range(0, 240, 80):
        assert states(show(one, photo, range(round_s, round_s + 40))) == []
        assert states(show(one, night, range(round_s + 40, round_s + 80), noise=6)) == []


def test_a_flash_is_not_observed_and_not_told(photo: Image):
    """Three seconds of white count as blind, and are no event."""
    one = sight()
    shown = show(one, photo, range(30)) + show(one, burnt(photo), range(30, 33)) + show(one, photo, range(33, 60))
    assert states(shown) == []
    assert blind_s(shown) == 3


def test_around_a_threshold_nothing_flickers(photo: Image):
    """A picture that swings around a threshold is told as dark at most once."""
    one = sight()
    show(one, photo, range(30))
    told = []
    for second in range(30, 180):
        brightest = 25 + 4 * np.sin(second / 3)
        dim = (photo * (brightest / np.percentile(photo, 99.5))).astype(np.uint8)
        told += states([one.look(frame(dim, second, noise=0.5))])
    assert told in ([], ["dark"])


def test_frozen(photo: Image):
    """One picture without any change for a minute is frozen; the first that differs ends it."""
    one = sight()
    show(one, photo, range(30))
    during = show(one, photo, range(30, 120), noise=0)
    assert states(during) == ["frozen"]
    assert next(second for second, s in zip(range(30, 120), during, strict=True) if s.events) in (90, 91)
    after = show(one, photo, range(120, 130))
    assert states(after) == ["clear"]


def test_dark_is_not_frozen(photo: Image):
    """A black picture without noise, the same for minutes, is dark: that is what keeps it from seeing."""
    one = sight()
    show(one, photo, range(30))
    assert states(show(one, np.zeros_like(photo), range(30, 200), noise=0)) == ["dark"]


def test_blind_time_has_no_gaps_in_it(photo: Image):
    """Time in which no frame came is not counted as blind: the camera's state tells of that."""
    one = sight()
    show(one, np.zeros_like(photo), range(30))
    late = one.look(frame(np.zeros_like(photo), 500))
    assert blind_s([late]) == 0
    assert not late.sees


def test_without_a_small_picture_nothing_is_said(photo: Image):
    """A frame of a source that makes none is taken to show what is there."""
    assert sight().look(replace(frame(photo, 1), small=None)) == Sighting()


def test_brightness_and_sharpness_are_measured(photo: Image):
    """Once a minute the camera's brightness and sharpness go into the rollups: dirt grows over weeks."""
    shown = show(sight(), photo, range(180))
    names = [measure.name for one in shown for measure in one.measures]
    assert names == ["brightness", "sharpness"] * 3
