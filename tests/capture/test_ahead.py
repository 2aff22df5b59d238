"""Reading ahead, with real threads and a real recording."""

import threading
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from agent.capture import replay
from agent.capture.ahead import read_ahead
from agent.clock import ManualClock
from agent.config import CameraConfig
from tests.capture.cameras import make_video, number_of


def test_the_next_item_is_made_while_the_last_is_used() -> None:
    """The taker of the first item sees the second being made without asking for it."""
    made = threading.Semaphore(0)

    def items() -> Generator[int]:
        for number in range(3):
            made.release()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert made.acquire(timeout=10)
    assert made.acquire(timeout=10)
    assert list(ahead) == [1, 2]


def test_an_error_comes_after_the_items_before_it() -> None:
    """Nothing that was made before a failure is lost, and the failure is the maker's own."""

    def items() -> Generator[int]:
        yield 1
        yield 2
        raise OSError("broken")

    ahead = read_ahead(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(OSError, match="broken"):
        next(ahead)


def test_whoever_stops_ends_the_thread_and_closes_the_items() -> None:
    """No thread stays behind, and the maker's own clean-up has run when close returns."""
    closed = []

    def items() -> Generator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    with closing(read_ahead(items())) as ahead:
        next(ahead)
    assert closed == [True]
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_a_replay_loses_no_frame_to_a_slow_taker(tmp_path: Path) -> None:
    """However long one frame takes, the next one is the next one."""
    video = make_video(tmp_path / "a.mp4", frames=30)
    camera = CameraConfig(name="cam", source=str(video), sampling="all")
    frames = replay(camera, ManualClock(utc_ns=0, monotonic_ns=0, boot=0))
    taken = []
    for frame in frames:
        taken.append(number_of(frame))
        if len(taken) == 5:
            threading.Event().wait(0.5)
    assert taken == list(range(30))
