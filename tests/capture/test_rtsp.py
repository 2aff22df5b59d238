"""RTSP cameras: served by a real server, killed, frozen and restarted."""

import signal
import socket
import threading
import time
from itertools import pairwise

from agent.clock import ManualClock
from agent.motion import MotionGate
from agent.types import CameraState
from tests.capture.cameras import RtspServer, Watcher, make_video, number_of
from tests.faults.proxy import Proxy
from tests.waiting import eventually


def test_frames_arrive(rtsp: RtspServer, watch: Watcher) -> None:
    """An RTSP stream over TCP is live, its frames are decoded in order and dated before now."""
    rtsp.start()
    cam = watch(rtsp.url("video.mp4"), fps=30)
    frames = [cam.slot.take(5) for _ in range(6)]
    assert all(frame is not None for frame in frames)
    captured = [frame.captured.monotonic_ns for frame in frames]
    assert captured == sorted(captured)
    assert all(0 <= number_of(frame) < 45 for frame in frames)
    status = cam.grabber.status()
    assert (status.state, status.detail, status.width, status.height) == (CameraState.LIVE, "", 160, 120)
    assert status.frames_captured >= 6


def test_sampling_on_the_streams_time(rtsp: RtspServer, watch: Watcher) -> None:
    """At 5 frames a second of a stream of 15, each third frame is delivered."""
    rtsp.start()
    cam = watch(rtsp.url("video.mp4"), fps=5)
    frames = [cam.slot.take(5) for _ in range(5)]
    assert {b.index - a.index for a, b in pairwise(frames)} == {3}


def test_key_frames_only(rtsp: RtspServer, watch: Watcher) -> None:
    """With ``keyframes`` only key frames are decoded: here each fifth picture of the stream."""
    rtsp.start()
    cam = watch(rtsp.url("video.mp4"), sampling="keyframes")
    frames = [cam.slot.take(5) for _ in range(5)]
    assert {number_of(frame) % 5 for frame in frames} == {0}
    assert {b.index - a.index for a, b in pairwise(frames)} == {1}


def test_the_substream_is_analysed(rtsp: RtspServer, free_port: int, watch: Watcher) -> None:
    """A camera with a sub-stream is live by it, though its main stream cannot be reached."""
    rtsp.start()
    cam = watch(f"rtsp://127.0.0.1:{free_port}/main", substream=rtsp.url("video.mp4"))
    assert cam.slot.take(5).image.shape == (120, 160, 3)


def test_a_still_stream_is_gated(rtsp: RtspServer, watch: Watcher) -> None:
    """Of a stream that shows one picture for ever only the first second is to be looked at; the rest are still."""
    make_video(rtsp.folder / "video.mp4", frames=300, step=0)
    rtsp.start()
    cam = watch(rtsp.url("video.mp4"), gate=MotionGate(fps=15, look_every_s=60), fps=15)
    frames = []
    while len(frames) < 20 or not frames[-1].still:
        frames.append(cam.slot.take(5))
    assert not frames[0].still
    image = frames[-1].image
    assert cam.slot.take(5).image is image
    status = cam.grabber.status()
    assert 0 < status.frames_still < status.frames_captured


def test_killed_server_comes_back(rtsp: RtspServer, watch: Watcher) -> None:
    """When the server dies, the camera is told lost, and after a restart it is live again, in another session."""
    rtsp.start()
    cam = watch(rtsp.url("video.mp4"))
    eventually(lambda: cam.seen(CameraState.LIVE))
    first = cam.slot.take(5)
    rtsp.kill()
    eventually(lambda: cam.grabber.status().state is CameraState.REFUSED)
    assert "refused" in cam.grabber.status().detail
    rtsp.start()
    eventually(lambda: cam.grabber.status().state is CameraState.LIVE)
    assert cam.grabber.status().reconnects == 1
    sessions = (cam.slot.take(5).session for _ in range(3))  # the first may be of before
    assert max(sessions) > first.session


def test_new_frame_size_after_reconnect(rtsp: RtspServer, watch: Watcher) -> None:
    """A camera that comes back with another frame size is taken as it comes."""
    rtsp.start()
    cam = watch(rtsp.url("video.mp4"))
    eventually(lambda: cam.seen(CameraState.LIVE))
    rtsp.kill()
    make_video(rtsp.folder / "video.mp4", width=320, height=180)
    rtsp.start()
    eventually(lambda: cam.grabber.status().width == 320)
    frame = cam.slot.take(5)
    while frame.image.shape[1] != 320:
        frame = cam.slot.take(5)
    assert frame.image.shape == (180, 320, 3)
    assert cam.grabber.status().resizes == 1
    (event,) = cam.events
    assert event.kind == "camera-resized"
    assert event.data == {"width": 320, "height": 180, "width_before": 160, "height_before": 120}


def test_frozen_server_is_stalled(rtsp: RtspServer, watch: Watcher) -> None:
    """A server that freezes makes the camera stalled, not ended, and it is live again when the server thaws."""
    rtsp.start()
    cam = watch(rtsp.url("video.mp4"))
    eventually(lambda: cam.seen(CameraState.LIVE))
    rtsp.signal(signal.SIGSTOP)
    eventually(lambda: len(cam.states) >= 2)
    assert cam.states[1].state is CameraState.STALLED
    assert cam.grabber.status().failures["stalled"] >= 1
    rtsp.signal(signal.SIGCONT)
    eventually(lambda: cam.grabber.status().state is CameraState.LIVE)


def test_half_open_connection(rtsp: RtspServer, watch: Watcher) -> None:
    """A connection that stays open and carries nothing, as over a dead radio, is stalled, and opened again."""
    rtsp.start()
    with Proxy(rtsp.port) as radio:
        cam = watch(rtsp.url("video.mp4").replace(f":{rtsp.port}", f":{radio.port}"))
        eventually(lambda: cam.seen(CameraState.LIVE))
        radio.stall()
        eventually(lambda: cam.seen(CameraState.STALLED))
        radio.resume()
        eventually(lambda: cam.grabber.status().state is CameraState.LIVE)
        cam.stop.set()
        cam.thread.join(10)


def test_what_was_held_up_is_not_taken_for_now(rtsp: RtspServer, watch: Watcher) -> None:
    """Frames that a radio held up for seconds are counted as late; none is handed out that is older than max_age_s."""
    make_video(rtsp.folder / "video.mp4", frames=300)
    rtsp.start()
    with Proxy(rtsp.port) as radio:
        url = rtsp.url("video.mp4").replace(f":{rtsp.port}", f":{radio.port}")
        cam = watch(url, stall_timeout_s=20, max_age_s=1, fps=15)
        assert cam.slot.take(10) is not None
        radio.stall()
        time.sleep(3)
        radio.resume()
        eventually(lambda: cam.grabber.status().frames_late > 5)
        cam.slot.take(0)
        ages_s = []
        for _ in range(15):
            frame = cam.slot.take(5)
            ages_s.append((time.monotonic_ns() - frame.captured.monotonic_ns) / 1e9)
        assert max(ages_s) < 1.3
        cam.stop.set()
        cam.thread.join(10)
    assert [status.state for status in cam.states] == [CameraState.LIVE]


def test_a_stream_that_is_always_late(rtsp: RtspServer, watch: Watcher) -> None:
    """A stream that fell behind for good, by the dates it had, is opened anew within a stall's time, and dated anew."""
    make_video(rtsp.folder / "video.mp4", frames=300)
    rtsp.start()
    clock = ManualClock()
    cam = watch(rtsp.url("video.mp4"), clock, max_age_s=3)
    eventually(lambda: cam.seen(CameraState.LIVE))
    clock.advance(6)

    def stalled() -> bool:
        clock.advance(0.01)
        return cam.seen(CameraState.STALLED)

    eventually(stalled)
    assert "3 s late" in cam.states[1].detail
    assert cam.grabber.status().frames_late > 0

    def live() -> bool:
        clock.advance(0.01)
        return cam.grabber.status().state is CameraState.LIVE

    eventually(live)


def test_frozen_before_the_connection(rtsp: RtspServer, watch: Watcher) -> None:
    """A server that accepts a connection and never answers is stalled, not refused."""
    rtsp.start()
    rtsp.signal(signal.SIGSTOP)
    cam = watch(rtsp.url("video.mp4"))
    eventually(lambda: bool(cam.states))
    assert cam.states[0].state is CameraState.STALLED


def test_end_of_a_live_stream(rtsp: RtspServer, watch: Watcher) -> None:
    """A live stream that ends is told ended, and opened again."""
    make_video(rtsp.folder / "video.mp4", frames=24)
    rtsp.start()
    cam = watch(rtsp.url("video.mp4", loop=False))
    eventually(lambda: len(cam.states) >= 3)
    assert [status.state for status in cam.states[:3]] == [CameraState.LIVE, CameraState.ENDED, CameraState.LIVE]
    assert cam.thread.is_alive()


def test_unknown_stream(rtsp: RtspServer, watch: Watcher) -> None:
    """A stream that the server does not know is a failure that names it, without the password."""
    rtsp.start()
    cam = watch(rtsp.url("other.mp4"))
    eventually(lambda: bool(cam.states))
    assert cam.states[0].state is CameraState.FAILED
    assert "404" in cam.states[0].detail
    assert f"rtsp://user:***@127.0.0.1:{rtsp.port}/other.mp4" in cam.states[0].detail


def test_refused_port(free_port: int, watch: Watcher) -> None:
    """A port where nobody listens is refused."""
    cam = watch(f"rtsp://127.0.0.1:{free_port}/x")
    eventually(lambda: bool(cam.states))
    assert cam.states[0].state is CameraState.REFUSED


def test_wrong_password(free_port: int, watch: Watcher) -> None:
    """A server that answers 401 makes the camera unauthorised, and the password appears nowhere."""
    with socket.create_server(("127.0.0.1", free_port)) as listener:
        threading.Thread(target=_refuse, args=(listener,), daemon=True).start()
        cam = watch(f"rtsp://admin:s3cret@127.0.0.1:{free_port}/x")
        eventually(lambda: bool(cam.states))
        assert cam.states[0].state is CameraState.UNAUTHORISED
        assert "s3cret" not in cam.states[0].detail
        cam.stop.set()
        cam.thread.join(5)


def _refuse(listener: socket.socket) -> None:
    """Answer 401 to each request of each RTSP client."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            while request := client.recv(4096):
                number = request.split(b"CSeq: ")[1].split(b"\r\n")[0]
                client.sendall(b"RTSP/1.0 401 Unauthorized\r\nCSeq: " + number + b"\r\n\r\n")
