"""What a grabber promises whatever its camera does."""

import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.capture import Backoff, Decoders, FrameSlot, Grabber
from agent.clock import ManualClock, SystemClock
from agent.config import CameraConfig
from agent.errors import ConfigError
from agent.types import CameraState, CameraStatus, Frame
from tests.capture.cameras import Watcher, make_video
from tests.waiting import eventually


def frame(index: int) -> Frame:
    return Frame("cam", index, SystemClock().now(), np.zeros((2, 2, 3), np.uint8))


def test_slot_keeps_the_newest() -> None:
    """A slot gives the newest frame once; those it replaced are counted as dropped, the taken one is not."""
    slot = FrameSlot()
    for index in range(5):
        slot.put(frame(index))
    assert slot.take(1).index == 4
    assert slot.dropped == 4
    assert slot.take(0.01) is None
    slot.put(frame(5))
    assert slot.take(1).index == 5
    assert slot.dropped == 4


def test_slot_never_hides_a_look() -> None:
    """A still frame that replaces one that was to be looked at is to be looked at; one that replaces none is not."""
    slot = FrameSlot()
    slot.put(frame(0))
    slot.put(replace(frame(1), still=True))
    slot.put(replace(frame(2), still=True))
    taken = slot.take(1)
    assert (taken.index, taken.still) == (2, False)
    slot.put(replace(frame(3), still=True))
    assert slot.take(1).still


def test_slot_never_gives_what_is_too_old() -> None:
    """A frame that waited for longer than ``max_age_s`` is counted and not handed out; the next one is."""
    clock = ManualClock()
    slot = FrameSlot(clock=clock, max_age_s=5)
    for index, waited_s in enumerate((4.9, 5.1, 0)):
        slot.put(replace(frame(index), captured=clock.now()))
        clock.advance(waited_s)
        taken = slot.take(0)
        assert (taken is None) == (waited_s > 5)
    assert (slot.late, slot.dropped) == (1, 0)


def test_still_frame_after_a_lost_change_is_looked_at() -> None:
    """Where what was new grew too old to be handed out, the still frame after it is the first to show it."""
    clock = ManualClock()
    slot = FrameSlot(clock=clock, max_age_s=5)
    slot.put(replace(frame(0), captured=clock.now()))
    clock.advance(6)
    assert slot.take(0) is None
    for index, still in ((1, False), (2, True)):
        slot.put(replace(frame(index), captured=clock.now(), still=True))
        assert slot.take(0).still is still


def test_slot_wakes_its_reader() -> None:
    """A reader that waits is woken by the next frame, long before its timeout."""
    slot = FrameSlot()
    threading.Timer(0.05, slot.put, [frame(7)]).start()
    started = time.monotonic()
    assert slot.take(10).index == 7
    assert time.monotonic() - started < 5


def test_one_reader_of_several_slots() -> None:
    """Slots that share an event set it at each frame, so that one thread can wait for all of them."""
    arrived = threading.Event()
    left, right = FrameSlot(arrived), FrameSlot(arrived)
    right.put(frame(1))
    assert arrived.wait(1)
    assert left.take(0) is None
    assert right.take(0).index == 1


def test_newest_frame_only(tmp_path: Path, watch: Watcher) -> None:
    """A slow reader gets the newest frame each time, and what it missed is what was dropped."""
    cam = watch(str(make_video(tmp_path / "video.mp4", frames=30, fps=30)), fps=30)
    taken = []
    while cam.thread.is_alive():
        taken.append(cam.slot.take(0.5))
        time.sleep(0.15)
    taken = [found for found in [*taken, cam.slot.take(0)] if found]
    indices = [found.index for found in taken]
    assert indices == sorted(set(indices))
    assert indices[-1] == 29
    assert len(taken) < 15
    status = cam.grabber.status()
    assert len(taken) + status.frames_dropped == status.frames_captured == 30


def test_beats(watch: Watcher, free_port: int) -> None:
    """A grabber beats while its camera is away."""
    cam = watch(f"rtsp://127.0.0.1:{free_port}/x")
    eventually(lambda: len(cam.beats) > 10)
    assert cam.grabber.longest_silence_s > max(b - a for a, b in pairwise(cam.beats))


def test_one_report_per_transition(watch: Watcher, free_port: int) -> None:
    """A camera that stays away is reported once, however often it is tried."""
    cam = watch(f"rtsp://127.0.0.1:{free_port}/x")
    eventually(lambda: len(cam.beats) > 14)
    assert [status.state for status in cam.states] == [CameraState.REFUSED]
    assert cam.grabber.status().since == cam.states[0].since


def test_away_costs_no_memory(watch: Watcher, free_port: int) -> None:
    """A camera that is away for many attempts leaves no sockets, threads or frames behind, here or in the decoder."""

    def held(pid: int | str) -> list[int]:
        return [len(list(Path(f"/proc/{pid}/{kind}").iterdir())) for kind in ("fd", "task")]

    before = held("self")
    cam = watch(f"rtsp://127.0.0.1:{free_port}/x")
    eventually(lambda: len(cam.beats) > 14)
    cam.stop.set()
    cam.thread.join(5)
    eventually(lambda: held(watch.decoders.processes()["*"])[1] == 1)
    assert held(watch.decoders.processes()["*"])[0] < 10
    watch.decoders.close()
    # The kernel counts a thread a moment longer than join() does, one of an earlier test too.
    eventually(lambda: all(now <= was for now, was in zip(held("self"), before, strict=True)))
    assert cam.slot.take(0) is None


def test_stop_ends_a_wait(free_port: int) -> None:
    """A grabber that waits an hour for the next attempt ends at once when it is told to stop."""
    camera = CameraConfig(name="cam", source=f"rtsp://127.0.0.1:{free_port}/x")
    failed, stop = threading.Event(), threading.Event()
    grabber = Grabber(
        camera,
        FrameSlot(),
        SystemClock(),
        on_state=lambda _name, _status: failed.set(),
        backoff=Backoff(first_s=3600, most_s=3600),
    )
    thread = threading.Thread(target=grabber.run, args=(stop,), daemon=True)
    thread.start()
    assert failed.wait(5)
    stop.set()
    thread.join(2)
    assert not thread.is_alive()


def test_wrong_address_is_refused_at_once() -> None:
    """A wrong simulated scene is refused when the grabber is made, before any thread runs."""
    with pytest.raises(ConfigError, match="fps: found 'fast'; allowed: a number"):
        Grabber(CameraConfig(name="cam", source="sim:orchard?fps=fast"), FrameSlot(), SystemClock())


@given(
    content=st.binary(max_size=4000),
    head=st.sampled_from([b"", b"\x00\x00\x00\x18ftypmp42", b"RIFF", b"\x1aE\xdf\xa3"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_leave_run_alive(tmp_path: Path, decoders: Decoders, content: bytes, head: bytes) -> None:
    """Whatever bytes a file holds, ``run`` does not raise: it ends, or fails and waits."""
    path = tmp_path / "any.mp4"
    path.write_bytes(head + content)
    stop, states = threading.Event(), []

    def note(_name: str, status: CameraStatus) -> None:
        states.append(status.state)
        stop.set()

    grabber = Grabber(
        CameraConfig(name="cam", source=str(path)), FrameSlot(), SystemClock(), on_state=note, decoders=decoders
    )
    grabber.run(stop)
    assert states


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_backoff_bounds(failures: int, chance: float) -> None:
    """A wait is at least half of the first, at most the longest, and grows with the failures."""
    backoff = Backoff()
    delay_s = backoff.delay_s(failures, chance)
    assert 0.5 <= delay_s <= 60
    assert backoff.delay_s(failures, 1.0) == 2 * backoff.delay_s(
        failures, 0.0
    )  # half of it is chance: boxes come apart
    assert backoff.delay_s(failures + 1, chance) >= delay_s
