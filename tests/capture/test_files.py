"""Videos and images on disk: at their own pace, in a loop, damaged, or not there."""

import struct
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.capture import BrokenError, SourceError, create_source, replay
from agent.clock import ManualClock, SystemClock
from agent.config import CameraConfig
from agent.errors import ConfigError
from agent.types import CameraState, Frame
from tests.capture.cameras import Watcher, make_video, number_of
from tests.waiting import eventually


def camera(source: Path | str, **settings: object) -> CameraConfig:
    return CameraConfig.model_validate({"name": "cam", "source": str(source), "fps": 120, **settings})


def frames_of(source: Path | str, **settings: object) -> list[Frame]:
    return list(replay(camera(source, **settings), ManualClock()))


def test_replay_gives_every_frame(video: Path) -> None:
    """A replay yields each frame once, in order, dated by the video's own time."""
    frames = frames_of(video)
    assert [number_of(frame) for frame in frames] == list(range(45))
    assert [frame.index for frame in frames] == list(range(45))
    steps = {b.captured.monotonic_ns - a.captured.monotonic_ns for a, b in pairwise(frames)}
    assert steps <= {66_666_666, 66_666_667}
    assert {b.captured.utc_ns - a.captured.utc_ns for a, b in pairwise(frames)} == steps


def test_replay_samples_on_the_videos_time(video: Path) -> None:
    """At 5 frames a second of a video of 15, a replay yields each third frame."""
    assert [frame.index for frame in frames_of(video, fps=5)] == list(range(0, 45, 3))


def test_replay_refuses_a_live_source(rtsp) -> None:
    """A live stream cannot be replayed."""
    rtsp.start()
    with pytest.raises(BrokenError, match="only a recording"):
        frames_of(rtsp.url("video.mp4"))


def test_own_pace(video: Path, watch: Watcher) -> None:
    """A video that is watched plays at its own pace: a frame comes when its time has come, and not before."""
    clock = ManualClock()
    cam = watch(str(video), clock, fps=15)
    assert cam.slot.take(5).index == 0
    assert cam.slot.take(0.3) is None
    clock.advance(1 / 15)
    second = cam.slot.take(5)
    assert (second.index, second.captured.monotonic_ns) == (1, 66_666_666)


def test_a_slow_player_does_not_hurry(video: Path, watch: Watcher) -> None:
    """After a pause of the player the video goes on where it was, and its frames carry the later time."""
    clock = ManualClock()
    cam = watch(str(video), clock, fps=15)
    assert cam.slot.take(5).index == 0
    clock.advance(60)
    late = [cam.slot.take(5)]
    for _ in range(3):
        clock.advance(1 / 15)
        late.append(cam.slot.take(5))
    indices = [frame.index for frame in late]
    assert indices == sorted(indices)
    assert indices[-1] <= 6
    assert all(frame.captured.monotonic_ns >= 60e9 for frame in late[1:])


def test_end_of_a_file(tmp_path: Path, watch: Watcher) -> None:
    """A file without loop is live, then ended, and its thread returns."""
    cam = watch(str(make_video(tmp_path / "video.mp4", fps=60)), fps=60)
    cam.thread.join(10)
    assert not cam.thread.is_alive()
    assert [status.state for status in cam.states] == [CameraState.LIVE, CameraState.ENDED]
    status = cam.grabber.status()
    assert status.frames_captured == 45
    assert status.frames_dropped == 44


def test_loop(tmp_path: Path, watch: Watcher) -> None:
    """A file with loop starts again: the pictures repeat, their numbers and times go on rising evenly."""
    short = make_video(tmp_path / "short.mp4", frames=4, fps=30)
    cam = watch(str(short), fps=30, loop=True)
    frames = [cam.slot.take(5) for _ in range(10)]
    eventually(lambda: cam.grabber.status().frames_captured > 10)
    first = frames[0].index
    assert [frame.index for frame in frames] == list(range(first, first + 10))
    assert [number_of(frame) for frame in frames] == [i % 4 for i in range(first, first + 10)]
    assert not cam.seen(CameraState.ENDED)


def test_damage_in_the_middle(tmp_path: Path, watch: Watcher, capfd) -> None:
    """Damaged packets in the middle of a file are left out and counted, in silence; what follows is delivered."""
    damaged = make_video(tmp_path / "damaged.mp4", frames=60, fps=60)
    data = bytearray(damaged.read_bytes())
    start = data.index(b"mdat") + (data.index(b"moov") - data.index(b"mdat")) // 2
    data[start : start + 600] = bytes(range(200)) * 3
    damaged.write_bytes(data)
    cam = watch(str(damaged), fps=60)
    cam.thread.join(10)
    assert cam.grabber.status().state is CameraState.ENDED
    assert cam.grabber.skipped > 0
    assert 30 < cam.grabber.status().frames_captured < 60
    assert capfd.readouterr().err == ""


def test_a_cut_file(tmp_path: Path) -> None:
    """A file that was cut off yields what is in it (Matroska), or one clear error (MP4, whose index is at its end)."""
    whole = make_video(tmp_path / "whole.mkv", frames=60)
    (tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert 20 < len(frames_of(tmp_path / "cut.mkv")) < 60
    whole = make_video(tmp_path / "whole.mp4")
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(BrokenError):
        frames_of(tmp_path / "cut.mp4")


@pytest.mark.parametrize(
    ("name", "content", "state", "reason"),
    [
        ("garbage.mp4", bytes(range(256)) * 50, CameraState.FAILED, "invalid data"),
        ("empty.mp4", b"", CameraState.FAILED, "invalid data"),
        ("text.txt", b"no video\n" * 100, CameraState.FAILED, "holds no video"),
        ("absent.mp4", None, CameraState.UNREACHABLE, "no such file"),
    ],
)
def test_unreadable_files(
    name: str, content: bytes | None, state: CameraState, reason: str, *, tmp_path: Path, capfd
) -> None:
    """A file that cannot be opened is one error of one line that names it, and FFmpeg itself prints nothing."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        frames_of(tmp_path / name)
    assert caught.value.state is state
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: ")
    assert reason in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_an_unknown_codec(tmp_path: Path) -> None:
    """A video whose codec nobody here knows is told as such: the data may well be right."""
    path = make_video(tmp_path / "video.mkv")
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_SECRET/CODEC1"))
    with pytest.raises(SourceError) as caught:
        frames_of(path)
    assert caught.value.state is CameraState.UNSUPPORTED


def test_absent_device(watch: Watcher) -> None:
    """A V4L2 device that is not plugged in is unreachable."""
    cam = watch("/dev/video77")
    eventually(lambda: bool(cam.states))
    assert cam.states[0].state is CameraState.UNREACHABLE


def test_sound_without_video(tmp_path: Path) -> None:
    """A file with sound alone is told to hold no video."""
    import wave

    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    with pytest.raises(BrokenError, match="holds no video"):
        frames_of(tmp_path / "sound.wav")


def test_a_broken_recording_is_not_played_twice(tmp_path: Path, watch: Watcher) -> None:
    """A missing file is tried again until it is there; then it plays once."""
    cam = watch(str(tmp_path / "later.mp4"))
    eventually(lambda: cam.seen(CameraState.UNREACHABLE))
    make_video(tmp_path / "part.mp4", frames=8).rename(tmp_path / "later.mp4")
    cam.thread.join(10)
    states = [status.state for status in cam.states]
    assert states == [CameraState.UNREACHABLE, CameraState.LIVE, CameraState.ENDED]
    assert cam.grabber.status().reconnects == 0


def test_turned_video(tmp_path: Path) -> None:
    """A video that a phone took upright is turned as its file says, as OpenCV turns it."""
    path = make_video(tmp_path / "upright.mp4", frames=3)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, 120 * one, 0, 1 << 30)
    path.write_bytes(data)
    ok, expected = cv2.VideoCapture(str(path)).read()
    assert ok
    assert frames_of(path)[0].image.shape == expected.shape == (160, 120, 3)


def test_colours(tmp_path: Path, shared_data: Path) -> None:
    """Frames are BGR, as OpenCV decodes them from the same file."""
    path = shared_data / "video" / "orchard_pan_dev.mp4"
    _, expected = cv2.VideoCapture(str(path)).read()
    image = next(replay(camera(path), SystemClock())).image
    difference = np.abs(image.astype(int) - expected.astype(int))
    assert difference.mean() < 2.0


def test_folder_of_images(tmp_path: Path) -> None:
    """A folder yields its images in the order of their names, so many a second; one that is damaged is left out."""
    for i, name in enumerate(("c.png", "a.jpg", "b.JPG")):
        cv2.imwrite(str(tmp_path / name), np.full((48, 64, 3), 60 * (i + 1), np.uint8))
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image either")
    frames = frames_of(tmp_path, fps=4)
    assert [round(float(frame.image.mean())) for frame in frames] == [120, 180, 60]
    assert [frame.captured.monotonic_ns for frame in frames] == [0, 250_000_000, 500_000_000]


def test_images_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder without images, or with none that can be read, is one clear error; so is one that is not there."""
    with pytest.raises(BrokenError, match=r"holds no \.jpg or \.png image"):
        frames_of(tmp_path)
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(BrokenError, match="none of its 1 images"):
        frames_of(tmp_path)


def test_single_image_in_a_loop(tmp_path: Path, watch: Watcher) -> None:
    """One image can stand for a camera."""
    cv2.imwrite(str(tmp_path / "still.png"), np.full((48, 64, 3), 90, np.uint8))
    clock = ManualClock()
    cam = watch(str(tmp_path / "still.png"), clock, loop=True)
    assert cam.slot.take(5).index == 0
    clock.advance(1)
    assert cam.slot.take(5).index == 1


def test_file_url(video: Path) -> None:
    """``file://`` names the same file as its path."""
    assert len(frames_of(f"file://{video}")) == 45


def test_bad_addresses() -> None:
    """The address of a simulated scene that does not exist is refused before anything is opened."""
    with pytest.raises(ConfigError, match="sim:orchard"):
        create_source(camera("sim:desert"))
