"""Real videos, a real RTSP server, and threads that run grabbers."""

import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from agent.capture import Backoff, Decoders, FrameSlot, Grabber
from agent.clock import Clock, SystemClock
from agent.config import CameraConfig
from agent.motion import MotionGate
from agent.types import CameraState, CameraStatus, Event, Frame
from tests.waiting import eventually

STEP = 4
"""Grey levels from one frame of a test video to the next: a frame tells its own number."""


def make_video(
    path: Path, *, frames: int = 45, fps: int = 15, width: int = 160, height: int = 120, step: int = STEP
) -> Path:
    """Write an H.264 video, a key frame each third of a second; frame i is grey of level 16 + step * (i mod 50)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"tune": "zerolatency", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = max(1, fps // 3)
        for i in range(frames):
            image = np.full((height, width, 3), 16 + step * (i % 50), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def number_of(frame: Frame) -> int:
    """Return which frame of a test video this is, modulo 50, from its grey."""
    return round((float(frame.image.mean()) - 13.5) / STEP)  # coding makes such a grey darker by 2.5


@dataclass
class Watched:
    """A grabber that runs in a thread, and what it told."""

    grabber: Grabber
    slot: FrameSlot
    thread: threading.Thread
    stop: threading.Event
    states: list[CameraStatus]
    beats: list[float]
    events: list[Event]

    def seen(self, state: CameraState) -> bool:
        return any(status.state is state for status in self.states)


@dataclass
class Watcher:
    """Starts grabbers, and ends them after the test."""

    running: list[Watched] = field(default_factory=list)
    decoders: Decoders = field(default_factory=Decoders)

    def __call__(
        self, source: str, clock: Clock | None = None, gate: MotionGate | None = None, **settings: object
    ) -> Watched:
        camera = CameraConfig.model_validate({"name": "cam", "source": source, "stall_timeout_s": 1.0, **settings})
        slot, states, beats, events, stop = FrameSlot(), [], [], [], threading.Event()
        grabber = Grabber(
            camera,
            slot,
            clock or SystemClock(),
            on_state=lambda _name, status: states.append(status),
            on_event=events.append,
            gate=gate,
            decoders=self.decoders,
            backoff=Backoff(first_s=0.05, most_s=0.15, healthy_s=0.5),
        )
        thread = threading.Thread(target=grabber.run, args=(stop, lambda: beats.append(time.monotonic())), daemon=True)
        watched = Watched(grabber, slot, thread, stop, states, beats, events)
        self.running.append(watched)
        thread.start()
        return watched


@dataclass
class RtspServer:
    """A real RTSP server of a folder, as a process of its own."""

    folder: Path
    port: int
    control_port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, name: str, *, loop: bool = True) -> str:
        return f"rtsp://user:secret@127.0.0.1:{self.port}/{name}?play_count={0 if loop else 1}"

    def start(self) -> None:
        program = Path(sys.executable).parent / "rtsp-server"
        ports = ("-p", str(self.port), "-cp", str(self.control_port))
        command = [str(program), "-d", str(self.folder), "-H", "127.0.0.1", *ports]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(self._answers)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
        except OSError:
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
