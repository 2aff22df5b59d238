"""Decoder processes that crash, hang, freeze or speak nonsense: the daemon and the other cameras go on."""

import ctypes
import gc
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from agent.capture import Decoders, SourceError, create_source, remote, replay
from agent.clock import ManualClock
from agent.config import CameraConfig
from agent.decoder.segments import MappedSegments, Segments
from agent.decoder.wire import send
from agent.planes import Pixels, Planes, bgr_of
from agent.types import CameraState
from tests.capture.cameras import RtspServer, Watched, Watcher, make_video, number_of
from tests.waiting import eventually

TGKILL = 234
"""The system call of x86-64: a signal for one thread of another process."""


def threads(pid: int) -> list[int]:
    """The threads of a process in the order in which they began: the main thread, then one a camera."""
    return sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())


def crash(pid: int, thread: int) -> None:
    """Let one thread do what a broken decoder does."""
    if os.uname().machine != "x86_64":
        pytest.skip("the number of tgkill is known here for x86-64 alone")
    assert ctypes.CDLL(None).syscall(TGKILL, pid, thread, signal.SIGSEGV) == 0


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def live(cam: Watched) -> bool:
    return cam.grabber.status().state is CameraState.LIVE


@pytest.fixture
def pair(rtsp: RtspServer, watch: Watcher) -> tuple[Watched, Watched]:
    """Two live cameras, ``left`` begun first, in one decoder process."""
    rtsp.start()
    cameras = []
    for name in ("left", "right"):
        cameras.append(watch(rtsp.url("video.mp4"), name=name))
        eventually(lambda: live(cameras[-1]))
    assert list(watch.decoders.processes()) == ["*"]
    return cameras[0], cameras[1]


def test_frames_are_not_copied_here(video: Path, decoders: Decoders) -> None:
    """An image lies in memory that the decoder process wrote, cannot be written to, and outlives the connection."""
    frames = list(replay(CameraConfig(name="cam", source=str(video), sampling="all"), ManualClock(), decoders))
    assert [number_of(frame) for frame in frames] == list(range(45))
    with pytest.raises(ValueError, match="read-only"):
        frames[0].image[0, 0] = 0
    decoders.close()
    assert [number_of(frame) for frame in frames] == list(range(45))


@pytest.mark.parametrize(("sampling", "wanted"), [("all", 45), ("fps:5", 15), ("keyframes", 9)])
def test_what_nobody_wants_is_never_fetched(
    video: Path, decoders: Decoders, monkeypatch: pytest.MonkeyPatch, sampling: str, wanted: int
) -> None:
    """Of a recording's pictures those that the sampling leaves out are decoded at most: none of them is fetched."""
    asked: Counter[str] = Counter()

    def send_counted(connection: socket.socket, message: dict[str, object]) -> None:
        asked[str(message["do"])] += 1
        send(connection, message)

    monkeypatch.setattr(remote, "send", send_counted)
    frames = list(replay(CameraConfig(name="cam", source=str(video), sampling=sampling), ManualClock(), decoders))
    assert len(frames) == asked["image"] == wanted
    assert asked["small"] == 0


def test_bgr_is_made_where_it_is_asked_for_and_only_there(video: Path, decoders: Decoders) -> None:
    """A camera's frame is in planes, half the bytes of BGR; its size is known without the colours."""
    frame = next(replay(CameraConfig(name="cam", source=str(video), sampling="all"), ManualClock(), decoders))
    assert isinstance(frame.pixels, Planes)
    assert sum(plane.nbytes for plane in frame.pixels.planes) == 160 * 120 * 3 // 2
    assert frame.size == (120, 160)
    assert frame.image is frame.image


def test_one_thread_decodes_a_camera(tmp_path: Path, decoders: Decoders) -> None:
    """A decoder has its main thread and one a camera: on a box of two cores FFmpeg's own would wait for each other."""
    path = make_video(tmp_path / "large.mp4", width=1920, height=1080, frames=20)
    frames = replay(CameraConfig(name="cam", source=str(path), sampling="all"), ManualClock(), decoders)
    next(frames)
    assert len(threads(decoders.processes()["*"])) == 2
    assert len(list(frames)) == 19


def test_memory_is_used_again() -> None:
    """A piece of memory is written again when nobody holds a view of its image, and never before; few are kept."""
    written, read = Segments(), MappedSegments()

    def passed(grey: int) -> np.ndarray:
        written.release(read.freed())
        message, descriptor = written.write([np.full((40, 60, 3), grey, np.uint8)])
        (image,) = read.parts(message, descriptor)
        if descriptor is not None:
            os.close(descriptor)
        return image

    kept = passed(1)[5:, 5:]
    for grey in range(2, 60):
        assert passed(grey).max() == grey
    assert kept.max() == kept.min() == 1
    many = [passed(grey) for grey in range(100, 130)]
    assert [image.max() for image in many] == list(range(100, 130))
    fds = len(list(Path("/proc/self/fd").iterdir()))
    del many
    gc.collect()
    for grey in range(2, 60):
        assert passed(grey).max() == grey
    assert len(list(Path("/proc/self/fd").iterdir())) <= fds
    assert kept.max() == kept.min() == 1


def test_a_crash_in_one_camera(pair: tuple[Watched, Watched], watch: Watcher) -> None:
    """When the thread of one camera crashes, both come back, and that one is decoded apart from then on."""
    before = watch.decoders.processes()["*"]
    crash(before, threads(before)[1])
    eventually(lambda: all(cam.seen(CameraState.DECODER_LOST) and live(cam) for cam in pair), 20)
    assert set(watch.decoders.processes()) == {"*", "left"}
    assert before not in watch.decoders.processes().values()
    assert watch.decoders.lost == 1
    assert all(cam.slot.take(5) is not None for cam in pair)


def test_a_second_crash_leaves_the_others_alone(pair: tuple[Watched, Watched], watch: Watcher) -> None:
    """A camera that crashes its own decoder takes nobody along."""
    shared = watch.decoders.processes()["*"]
    crash(shared, threads(shared)[1])
    eventually(lambda: all(cam.seen(CameraState.DECODER_LOST) and live(cam) for cam in pair), 20)
    right_states = len(pair[1].states)
    own = watch.decoders.processes()["left"]
    crash(own, threads(own)[1])
    eventually(lambda: pair[0].grabber.status().reconnects == 2 and live(pair[0]), 20)
    assert len(pair[1].states) == right_states
    assert watch.decoders.processes()["left"] != own


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_process_killed_from_outside(pair: tuple[Watched, Watched], watch: Watcher, number: signal.Signals) -> None:
    """A decoder process that ends by no camera's fault is started again, and no camera is set apart for it."""
    before = watch.decoders.processes()["*"]
    os.kill(before, number)
    eventually(lambda: all(cam.seen(CameraState.DECODER_LOST) and live(cam) for cam in pair), 20)
    assert list(watch.decoders.processes()) == ["*"]
    assert gone(before)


def test_a_frozen_process(pair: tuple[Watched, Watched], watch: Watcher) -> None:
    """A decoder process that does not move at all is ended within seconds, and another one serves both cameras."""
    before = watch.decoders.processes()["*"]
    os.kill(before, signal.SIGSTOP)
    eventually(lambda: all(cam.seen(CameraState.DECODER_LOST) and live(cam) for cam in pair), 20)
    assert gone(before)
    assert list(watch.decoders.processes()) == ["*"]


def test_the_decoder_ends_with_the_agent(decoders: Decoders) -> None:
    """When the agent lets go, as it does when it is killed, the decoder process ends; signals to the group do not."""
    decoder, connection = decoders.connect("cam")
    os.kill(decoder.pid, signal.SIGTERM)
    os.kill(decoder.pid, signal.SIGINT)
    time.sleep(0.7)
    assert decoder.lives
    connection.close()
    decoder._control.close()
    eventually(lambda: not decoder.lives)


def test_truncated_and_fuzzed_files(tmp_path: Path, decoders: Decoders) -> None:
    """Files cut anywhere, or with random bytes changed, give frames or one clear error; then a good one plays."""
    good = make_video(tmp_path / "good.mp4", frames=20)
    chance = random.Random(4)
    outcomes = []
    for round_number in range(40):
        data = bytearray(good.read_bytes())
        if round_number % 2:
            del data[chance.randrange(len(data)) :]
        for place in chance.sample(range(len(data)), min(len(data), chance.choice([1, 20, 200]))):
            data[place] = chance.randrange(256)
        (tmp_path / "bad.mp4").write_bytes(data)
        outcomes.append(outcome(tmp_path / "bad.mp4", decoders))
    failures = [found for found in outcomes if isinstance(found, SourceError)]
    assert 0 < len(failures) < 40
    assert all(str(error).startswith(f"{tmp_path / 'bad.mp4'}: ") and "\n" not in str(error) for error in failures)
    assert outcome(good, decoders) == 20
    assert decoders.lost == 0


def outcome(path: Path, decoders: Decoders) -> int | SourceError:
    """How many frames a file yields, or why it yields no more."""
    try:
        return len(list(replay(CameraConfig(name="cam", source=str(path), sampling="all"), ManualClock(), decoders)))
    except SourceError as error:
        return error


@dataclass(frozen=True)
class Shown:
    """An answer with a picture's memory beside it."""

    size: int
    shapes: str
    colour: str = "null"

    def send(self, connection: socket.socket) -> None:
        message = f'{{"segment":1,"shapes":{self.shapes},"colour":{self.colour},"kept":[1]}}\n'
        memory = os.memfd_create("picture")
        os.ftruncate(memory, self.size)
        socket.send_fds(connection, [message.encode()], [memory])
        os.close(memory)


class Talker:
    """Stands for a decoder process that was broken into: it answers what a test wants."""

    def __init__(self, answers: list[bytes | Shown]) -> None:
        self._answers = answers
        self.lives, self.silent, self.pid = True, False, 0

    def connect(self, camera: str):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        threading.Thread(target=self._talk, args=(theirs,), daemon=True).start()
        return ours

    def _talk(self, connection) -> None:
        with connection:
            for answer in self._answers:
                connection.recv(1 << 16)
                if isinstance(answer, Shown):
                    answer.send(connection)
                else:
                    connection.send(answer)

    def has_ended(self) -> bool:
        return False

    def end(self) -> None:
        self.lives = False

    finish = end


BT601 = '{"red":0.299,"blue":0.114,"full":false}'
OPENED = b'{"recorded":true}\n'
READ = b'{"index":0,"stream_ns":0}\n'
SMALL = b'{"small":[4,4]}\n' + bytes(16)


@pytest.mark.parametrize(
    "answers",
    [
        [b"\xff\xfe"],
        [b"[]\n"],
        [b'{"error":7,"reason":[]}\n'],
        [b'{"error":"SystemExit","reason":"x"}\n'],
        [OPENED, b"{}\n"],
        [OPENED, b'{"index":"0","stream_ns":0}\n'],
        [OPENED, READ, b'{"small":[9,9]}\nabc'],
        [OPENED, READ, b'{"small":"no"}\n'],
        [OPENED, READ, SMALL, b'{"segment":1,"shapes":[[9,9,3]],"kept":[1]}\n'],
        [OPENED, READ, SMALL, b'{"segment":1}\n'],
        [OPENED, READ, SMALL, Shown(81, "[[9,9]]")],
        [OPENED, READ, SMALL, Shown(244, "[[9,9,3],[1,1,1]]")],
        [OPENED, READ, SMALL, Shown(243, "[]")],
        [OPENED, READ, SMALL, Shown(243, "[[9,9,4]]")],
        [OPENED, READ, SMALL, Shown(242, "[[9,9,3]]")],
        [OPENED, READ, SMALL, Shown(243, "[[-9,-9,3]]")],
        [OPENED, READ, SMALL, Shown(162, "[[9,9],[9,9]]", BT601)],
        [OPENED, READ, SMALL, Shown(243, "[[9,9],[9,9],[5,5]]", BT601)],
        [OPENED, READ, SMALL, Shown(242, "[[9,9],[9,9],[9,9]]", BT601)],
        [OPENED, READ, SMALL, Shown(243, "[[9,9],[9,9],[9,9]]", '{"red":2,"blue":0.1,"full":false}')],
        [OPENED, READ, SMALL, Shown(243, "[[9,9],[9,9],[9,9]]", "[1]")],
    ],
)
def test_a_decoder_that_speaks_nonsense(video: Path, decoders: Decoders, answers: list[bytes | Shown]) -> None:
    """Whatever a decoder answers, the agent's side raises one error that names the source."""
    with pytest.raises(SourceError, match=str(video)):
        answered(video, decoders, answers)


def answered(video: Path, decoders: Decoders, answers: list[bytes | Shown]) -> Pixels:
    """Return the picture that a decoder's answers make."""
    decoders._shared = Talker(answers)
    source = create_source(CameraConfig(name="cam", source=str(video)), decoders)
    try:
        source.open()
        picture = source.read()
        assert picture.to_small().shape == (4, 4)
        return picture.to_pixels()
    finally:
        source.close()


@pytest.mark.parametrize("shown", [Shown(243, "[[9,9,3]]"), Shown(131, "[[9,9],[5,5],[5,5]]", BT601)])
def test_a_decoder_that_makes_sense(video: Path, decoders: Decoders, shown: Shown) -> None:
    """The same answers without a flaw are a picture, as BGR and in planes; memory that is larger does no harm."""
    for _ in range(2):
        pixels = answered(video, decoders, [OPENED, READ, SMALL, shown])
        assert bgr_of(pixels).shape == pixels.shape == (9, 9, 3)
        shown = replace(shown, size=shown.size + 7)


def test_a_thread_that_hangs(rtsp: RtspServer, watch: Watcher, tmp_path: Path) -> None:
    """A camera that hangs in the kernel, on a pipe that nobody writes to, is told and decoded apart; others go on."""
    os.mkfifo(tmp_path / "pipe.mp4")
    rtsp.start()
    good = watch(rtsp.url("video.mp4"), name="good")
    eventually(lambda: live(good))
    shared = watch.decoders.processes()["*"]
    hanging = watch(str(tmp_path / "pipe.mp4"), name="hanging", stall_timeout_s=0.5)
    eventually(lambda: hanging.seen(CameraState.DECODER_LOST), 20)
    assert "hung on this camera" in hanging.states[0].detail
    eventually(lambda: gone(shared) and live(good) and "hanging" in watch.decoders.processes(), 20)
    states = len(good.states)
    own = watch.decoders.processes()["hanging"]
    eventually(lambda: gone(own), 20)
    assert len(good.states) == states
    assert live(good)


def test_no_decoder_can_be_started(video: Path, decoders: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started, that is one error of the camera, and nothing stays open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("sys.executable", "/absent/python")
    source = create_source(CameraConfig(name="cam", source=str(video)), decoders)
    with pytest.raises(SourceError, match=r"video\.mp4: no decoder can be started: No such file"):
        source.open()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_sessions_leave_no_memory(tmp_path: Path, decoders: Decoders) -> None:
    """After sixty more sessions the decoder process holds no more than it did."""
    path = make_video(tmp_path / "video.mp4", frames=10, width=640, height=480)

    def held_mb(sessions: int) -> float:
        for _ in range(sessions):
            assert outcome(path, decoders) == 10
        status = Path(f"/proc/{decoders.processes()['*']}/smaps_rollup").read_text(encoding="ascii")
        return int(status.split("Private_Dirty:")[1].split()[0]) / 1024

    before = held_mb(10)
    assert held_mb(60) < before + 12
