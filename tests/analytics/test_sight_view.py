"""Whether a camera still looks where it did."""

import cv2
import numpy as np
import pytest

from agent.analytics.sight import Reference, Sight, View, load_reference, save_reference
from agent.capture.drawn import small_of
from agent.types import Frame, Image, Instant, Small

RNG = np.random.default_rng(2)


@pytest.fixture(scope="module")
def photos(shared_data) -> list[Image]:
    paths = sorted((shared_data / "orchard").rglob("applebbch81*.jpg"))
    return [cv2.imread(str(path)) for path in (paths[0], paths[-1])]


def shifted(image: Image, right: float, down: float = 0.0, turn: float = 0.0) -> Image:
    """The picture of a camera whose view was shifted by shares of its width, and turned by degrees."""
    height, width = image.shape[:2]
    way = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1)
    way[:, 2] += right * width, down * width
    return cv2.warpAffine(image, way, (width, height), borderMode=cv2.BORDER_REFLECT)


def small(image: Image, light: float = 1.0) -> Small:
    grey = small_of(image)
    return np.clip(grey * light + RNG.normal(0, 2, grey.shape), 0, 255).astype(np.uint8)


def changes(view: View, image: Image, seconds: range, light: float = 1.0) -> list[tuple[int, bool]]:
    found = [(second, view.look(small(image, light), second)) for second in seconds]
    return [(second, change.moved) for second, change in found if change is not None]


@pytest.mark.parametrize(("right", "down"), [(0.03, 0), (0, -0.05), (-0.2, 0.05)])
def test_a_shift_is_told_with_its_way(photos, right, down):
    """A camera knocked by 3% of its width or more has moved within a minute, by so much; put back, it is in place."""
    view = View()
    assert changes(view, photos[0], range(0, 60, 10)) == []
    told = [view.look(small(shifted(photos[0], right, down)), second) for second in range(60, 130, 10)]
    (moved,) = [change for change in told if change]
    assert moved.moved
    assert (moved.right, moved.down) == (pytest.approx(right, abs=0.005), pytest.approx(down, abs=0.005))
    assert [moved for _, moved in changes(view, photos[0], range(130, 200, 10))] == [False]


def test_a_moved_camera_is_an_event(photos):
    """What a knock did goes on record once, and once more when it was put right; the camera still sees."""
    sight = Sight("cam", max_gap_s=10.0, view=View())
    stretches = ((photos[0], 0), (shifted(photos[0], 0.05), 60), (photos[0], 130))
    sightings = [
        sight.look(Frame("cam", second, Instant(10**18, second * 10**9, 1), image, small(image)))
        for image, begin in stretches
        for second in range(begin, begin + 70, 10)
    ]
    events = [event for sighting in sightings for event in sighting.events]
    assert [(event.kind, event.data["moved"]) for event in events] == [("camera-moved", True), ("camera-moved", False)]
    assert events[0].data["right"] == pytest.approx(0.05, abs=0.005)
    assert all(sighting.sees for sighting in sightings)


@pytest.mark.parametrize("light", [0.35, 0.6, 1.5])
def test_light_and_a_little_wind_are_no_move(photos, light):
    """Other light, and half a percent of shift in the wind, leave a camera where it is."""
    view = View()
    changes(view, photos[0], range(0, 60, 10))
    assert changes(view, shifted(photos[0], 0.005), range(60, 400, 10), light) == []


@pytest.mark.parametrize("other", ["turned", "elsewhere"])
def test_another_view_is_told_after_ten_minutes(photos, other):
    """A camera that is turned, or looks at another tree, has moved, though nobody can say how far."""
    view = View()
    changes(view, photos[0], range(0, 60, 10))
    image = shifted(photos[0], 0, turn=25) if other == "turned" else photos[1]
    assert changes(view, image, range(60, 600, 10)) == []
    assert [moved for _, moved in changes(view, image, range(600, 800, 10))] == [True]


def test_creeping_adds_up(photos):
    """A pole that sinks by half a percent an hour has moved after some hours, though each hour renews the reference."""
    view = View()
    told = [
        changes(view, shifted(photos[0], 0, 0.005 * hour), range(hour * 3600, hour * 3600 + 120, 10))
        for hour in range(8)
    ]
    assert [hour for hour, found in enumerate(told) if found] in ([4], [5])


def test_a_new_view_is_adopted_after_a_day(photos):
    """A camera that stays where it was moved to is in place there after a day."""
    view = View()
    changes(view, photos[0], range(0, 60, 10))
    assert changes(view, shifted(photos[0], 0.1), range(60, 160, 10))
    assert [moved for _, moved in changes(view, shifted(photos[0], 0.1), range(160, 88_000, 1000))] == [False]
    assert changes(view, shifted(photos[0], 0.1), range(88_000, 88_600, 10)) == []


def test_a_reference_survives_a_restart(photos, tmp_path):
    """What was stored is what is loaded, and a camera that was moved while the box was off is told."""
    path = tmp_path / "views" / "cam.npz"
    save_reference(path, Reference(small(photos[0]), 1.5, -2.0))
    loaded = load_reference(path)
    assert (loaded.right, loaded.down) == (1.5, -2.0)
    save_reference(path, Reference(small(photos[0])))
    assert [moved for _, moved in changes(View(load_reference(path)), shifted(photos[0], 0.1), range(0, 100, 10))] == [
        True
    ]


def test_damaged_files_are_no_reference(photos, tmp_path):
    """A file that is absent, empty, cut at any place, or holds something else, counts as none."""
    path = tmp_path / "cam.npz"
    assert load_reference(path) is None
    save_reference(path, Reference(small(photos[0])))
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, len(whole) // 40):
        path.write_bytes(whole[:length])
        assert load_reference(path) is None
    for values in (
        {"small": np.zeros((4, 4), np.uint8)},
        {"small": np.zeros((9000, 9), np.uint8), "crept": np.zeros(2)},
    ):
        np.savez(path, **values)
        assert load_reference(path) is None
    np.savez(path, small=np.zeros((4, 4), np.uint8), crept=np.array([np.nan, 0]))
    assert load_reference(path) is None


def test_another_size_begins_anew(photos):
    """A stream of another shape cannot be compared: its first picture is the reference."""
    view = View(Reference(np.zeros((90, 160), np.uint8)))
    assert changes(view, photos[0], range(0, 300, 10)) == []
    assert view.reference.small.shape == small(photos[0]).shape
