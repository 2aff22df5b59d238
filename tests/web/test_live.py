"""The newest step of each camera, and who draws it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from agent.clock import ManualClock
from agent.web import LiveView
from agent.web.drawing import colour_of
from tests.web.pages import BOX, CLASSES, frame, tracks


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def live(clock):
    return LiveView(("north", "south"), clock)


def decoded(jpeg: bytes):
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_no_frame_yet(live):
    """Before the first frame the picture is a placeholder, and the state has no age."""
    assert decoded(live.picture("north").jpeg).shape == (540, 960, 3)
    assert live.state("north").age_s is None


def test_newest_step_is_shown(live, clock):
    """A look gives the newest step alone, with its boxes."""
    live.publish(frame(at=clock.now()), tracks(), CLASSES)
    live.publish(frame(at=clock.now()), tracks(BOX), CLASSES)
    picture = decoded(live.picture("north").jpeg).astype(int)
    edge = picture[200:300, 200]
    assert np.abs(edge - tuple(bytes.fromhex(colour_of(0)[1:]))[::-1]).mean() < 40


def test_one_encoding_for_all_viewers(live, clock):
    """However many look at once, a step is encoded once and all get the same bytes."""
    live.publish(frame(at=clock.now()), tracks(BOX), CLASSES)
    together = threading.Barrier(8)

    def look(_):
        together.wait(5)
        return live.picture("north")

    with ThreadPoolExecutor(8) as viewers:
        pictures = set(viewers.map(look, range(8)))
    assert len(pictures) == 1


def test_key_tells_what_a_look_would_give(live, clock):
    """The key changes with a new step and equals that of the picture; other cameras' steps do not touch it."""
    seen = [live.key("north")]
    for _ in range(2):
        live.publish(frame(at=clock.now()), tracks(), CLASSES)
        live.publish(frame("south", at=clock.now()), tracks(), CLASSES)
        seen.append(live.key("north"))
        assert live.picture("north").key == seen[-1]
    assert len(set(seen)) == 3


def test_old_picture_is_marked(live, clock):
    """A picture that is no longer live says how old it is, anew as it ages, and is plain again with the next frame."""
    live.publish(frame(at=clock.now()), tracks(), CLASSES)
    fresh = live.picture("north")
    clock.advance(12)
    assert live.key("north")[1] == "last picture, 12 s ago"
    assert live.state("north").stale
    old = live.picture("north")
    assert decoded(old.jpeg).mean() < decoded(fresh.jpeg).mean()
    clock.advance(1)
    assert live.picture("north").key != old.key
    live.publish(frame(at=clock.now()), tracks(), CLASSES)
    assert live.key("north")[1] == ""


@pytest.mark.parametrize(
    ("age_s", "words"),
    [(6, "6 s"), (59.7, "59 s"), (60, "1 min"), (3599, "59 min"), (7300, "2 h"), (200_000, "2 days")],
)
def test_age_in_words(live, clock, age_s, words):
    """The age is said coarsely, so that an old picture is seldom drawn again."""
    live.publish(frame(at=clock.now()), tracks(), CLASSES)
    clock.advance(age_s)
    assert live.key("north")[1] == f"last picture, {words} ago"


def test_wall_clock_step_ages_nothing(live, clock):
    """Setting the wall clock an hour forward does not make a picture old."""
    live.publish(frame(at=clock.now()), tracks(), CLASSES)
    clock.step_utc(3600)
    assert live.key("north")[1] == ""
    assert not live.state("north").stale


def test_legend_has_the_colours_drawn(live, clock):
    """The state names each class with the colour of its boxes."""
    live.publish(frame(at=clock.now()), tracks(), CLASSES)
    assert live.state("north").colours == {"apple": colour_of(0), "pear": colour_of(1)}


def test_unknown_camera(live, clock):
    """A camera that is not of this box is an error, not a new camera."""
    with pytest.raises(KeyError):
        live.picture("east")
    with pytest.raises(KeyError):
        live.publish(frame("east", at=clock.now()), tracks(), CLASSES)
