"""The newest analysed step of each camera, drawn only while somebody looks."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2

from agent.clock import Clock
from agent.types import Frame, Image, Tracks
from agent.web.drawing import colour_of, draw, placeholder

JPEG_QUALITY = 75

PictureKey = tuple[int, str]
"""Which step a picture shows, and what is written on it: two pictures of a camera with the same key are the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One encoded picture, shared by everybody who watches the camera."""

    key: PictureKey
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class LiveState:
    """What the page says of a camera's picture, beside showing it.

    ``age_s`` is None before the first picture. ``colours`` are ``#rrggbb`` by class name, as drawn.
    """

    age_s: float | None
    stale: bool
    colours: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    number: int
    frame: Frame
    tracks: Tracks
    class_names: Sequence[str]


class _Channel:
    """One camera: the newest step, and the last picture made of it."""

    def __init__(self) -> None:
        self.step: _Step | None = None
        self.picture: Picture | None = None
        self.encoding = threading.Lock()


class LiveView:
    """Holds one step a camera. Publishing swaps a reference; drawing and encoding happen in the viewers' threads.

    Nobody is woken by a new step: viewers look a few times a second, which costs the thread that analyses nothing.
    """

    def __init__(self, cameras: Iterable[str], clock: Clock, *, stale_after_s: float = 5.0) -> None:
        """Start without pictures.

        Args:
            cameras: The names of all cameras there are.
            clock: To tell the age of a picture.
            stale_after_s: An older picture is marked as old; more than the longest pause between two analysed frames.
        """
        self._channels = {camera: _Channel() for camera in cameras}
        self._stale_after_s = stale_after_s
        self.clock = clock

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of all cameras."""
        return tuple(self._channels)

    def publish(self, frame: Frame, tracks: Tracks, class_names: Sequence[str]) -> None:
        """Show this step from now on, in place of the one before it. One thread at a time publishes for a camera.

        Args:
            frame: Kept until the next one; nobody may write into its image any more.
            tracks: Seen in that frame.
            class_names: By class index.

        Raises:
            KeyError: The camera is not one of ``cameras``.
        """
        channel = self._channels[frame.camera]
        number = channel.step.number + 1 if channel.step else 1
        channel.step = _Step(number, frame, tracks, class_names)

    def key(self, camera: str) -> PictureKey:
        """Tell, at no cost, which picture a look now would give.

        Raises:
            KeyError: No such camera.
        """
        return self._key(self._channels[camera].step)

    def picture(self, camera: str) -> Picture:
        """Return the newest picture as JPEG, drawn and encoded by whoever asks first, and shared from then on.

        It takes some milliseconds. Without a frame yet it is a picture that says so; an old one says how old.

        Raises:
            KeyError: No such camera.
        """
        channel = self._channels[camera]
        with channel.encoding:
            step = channel.step
            key = self._key(step)
            if channel.picture is None or channel.picture.key != key:
                channel.picture = Picture(key, _encode(_render(camera, step, key[1])))
            return channel.picture

    def state(self, camera: str) -> LiveState:
        """Return the age of the newest picture, and the legend of its colours.

        Raises:
            KeyError: No such camera.
        """
        step = self._channels[camera].step
        if step is None:
            return LiveState(None, stale=False, colours={})
        age_s = self._age_s(step)
        colours = {name: colour_of(class_id) for class_id, name in enumerate(step.class_names)}
        return LiveState(age_s, age_s > self._stale_after_s, colours)

    def _key(self, step: _Step | None) -> PictureKey:
        if step is None:
            return (0, "")
        age_s = self._age_s(step)
        return (step.number, f"last picture, {_in_words(age_s)} ago" if age_s > self._stale_after_s else "")

    def _age_s(self, step: _Step) -> float:
        return max(0.0, (self.clock.now().monotonic_ns - step.frame.captured.monotonic_ns) / 1e9)


def _render(camera: str, step: _Step | None, note: str) -> Image:
    if step is None:
        return placeholder("No picture yet", camera)
    return draw(step.frame.image, step.tracks, step.class_names, note=note)


def _encode(image: Image) -> bytes:
    encoded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert encoded
    return data.tobytes()


def _in_words(age_s: float) -> str:
    """Say an age coarsely, so that an old picture is not drawn anew each second for ever."""
    whole = int(age_s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h"
    return f"{whole // 86400} days"
