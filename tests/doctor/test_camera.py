"""Cameras are really opened, in processes of their own."""

import os
import socket
import threading

from agent.config import CameraConfig
from agent.detection.trial import Trial
from agent.doctor import camera as room
from agent.doctor.camera import look_at_camera
from agent.doctor.finding import Level


def look(source, **options):
    (finding,) = look_at_camera(CameraConfig(name="north", source=str(source), **options))
    return finding


def test_a_video_is_described(shared_data):
    """Codec, size and frame rate of a file are the file's."""
    finding = look(shared_data / "video" / "orchard_pan_dev.mp4")
    assert finding.level is Level.OK
    assert finding.text.startswith("h264, 1280x720, 15.0 frames a second")


def test_fewer_frames_than_wanted_is_a_warning(shared_data):
    """A camera that cannot give the rate that is to be analysed is told."""
    finding = look(shared_data / "video" / "orchard_pan_dev.mp4", fps=60)
    assert finding.level is Level.WARN
    assert "60 fps" in finding.advice


def test_what_is_no_video_is_told(tmp_path):
    """Missing files, noise and closed ports fail with the reason, and never show a password."""
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(os.urandom(50_000))
    for source in (tmp_path / "absent.mp4", noise, "rtsp://user:secret@127.0.0.1:9/x"):
        finding = look(source)
        assert finding.level is Level.FAIL
        assert finding.advice
        assert "secret" not in finding.text


def test_a_camera_that_says_nothing_is_given_up(monkeypatch):
    """A server that accepts and is silent ends by a time limit, whichever comes first."""
    monkeypatch.setattr(room, "longest_look_s", lambda _camera: 8.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=server.accept, daemon=True).start()
        finding = look(f"rtsp://127.0.0.1:{server.getsockname()[1]}/x", stall_timeout_s=0.5)
    assert finding.level is Level.FAIL


def test_a_decoder_that_dies_is_told(monkeypatch):
    """When the child is killed by a signal the finding says so, and the doctor lives."""
    monkeypatch.setattr(room.sys, "executable", "/bin/false")
    assert look("sim:orchard").level is Level.FAIL


def test_tiles_show_their_cost(shared_data):
    """A camera that is looked at in tiles is told how many there are, and what a picture will take."""
    runs = Trial("openvino", wall_ms=20.0, cpu_ms=40.0, input_height=640, input_width=640)
    for tiles, says in (("2x2", "4 tiles: about 80 ms"), ("auto", "2 tiles: about 40 ms"), (None, "first frame")):
        video = CameraConfig(name="a", source=str(shared_data / "video" / "orchard_pan_dev.mp4"), tiles=tiles)
        (finding,) = look_at_camera(video, runs)
        assert says in finding.text
        assert ("tiles" in finding.text) is (tiles is not None)
